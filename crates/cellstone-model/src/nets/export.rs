//! From a network back to named tensors, in the layout that it was loaded from.

use super::layers::{Block, BlockNames};
use crate::weights::{HostTensor, Weights};
use burn::nn::{Embedding, LayerNorm, Linear};
use burn::tensor::Tensor;
use cellstone_core::{Error, Result};

/// Puts a tensor under a name.
pub(crate) fn put<const D: usize>(out: &mut Weights, name: &str, it: Tensor<D>) -> Result<()> {
    let shape = it.dims().to_vec();
    let data = it.into_data().convert::<f32>().try_into_vec::<f32>();
    let data = data.map_err(|it| Error::device(format!("tensor `{name}`: {it:?}")))?;
    out.insert(name, HostTensor::new(shape, data)?);
    Ok(())
}

/// Puts a linear map under `NAME.weight` and `NAME.bias`, as PyTorch keeps it.
pub(crate) fn put_linear(out: &mut Weights, name: &str, it: &Linear) -> Result<()> {
    put(out, &format!("{name}.weight"), it.weight.val().transpose())?;
    match &it.bias {
        Some(bias) => put(out, &format!("{name}.bias"), bias.val()),
        None => Ok(()),
    }
}

/// Puts a norm under `NAME.weight` and `NAME.bias`.
pub(crate) fn put_norm(out: &mut Weights, name: &str, it: &LayerNorm) -> Result<()> {
    put(out, &format!("{name}.weight"), it.gamma.val())?;
    match &it.beta {
        Some(beta) => put(out, &format!("{name}.bias"), beta.val()),
        None => Ok(()),
    }
}

/// Puts a table under its name.
pub(crate) fn put_table(out: &mut Weights, name: &str, it: &Embedding) -> Result<()> {
    put(out, name, it.weight.val())
}

/// Puts a block under `PREFIX.PART`.
pub(crate) fn put_block(out: &mut Weights, prefix: &str, names: &BlockNames<'_>, it: &Block) -> Result<()> {
    let of = |part: &str| format!("{prefix}.{part}");
    let parts = it.parts();
    for (name, map) in [names.query, names.key, names.value, names.out, names.up, names.down].iter().zip(parts.maps) {
        put_linear(out, &of(name), map)?;
    }
    for (name, norm) in [names.norm_attention, names.norm_output].iter().zip(parts.norms) {
        put_norm(out, &of(name), norm)?;
    }
    Ok(())
}

/// Puts a block whose three maps of the heads stand in one matrix, as PyTorch's own encoder layer keeps them.
pub(crate) fn put_fused_block(out: &mut Weights, prefix: &str, names: &BlockNames<'_>, it: &Block) -> Result<()> {
    let of = |part: &str| format!("{prefix}.{part}");
    let parts = it.parts();
    let heads = &parts.maps[..3];
    let weights = heads.iter().map(|it| it.weight.val().transpose()).collect();
    put(out, &of("self_attn.in_proj_weight"), Tensor::cat(weights, 0))?;
    let biases = heads.iter().filter_map(|it| it.bias.as_ref()).map(|it| it.val()).collect();
    put(out, &of("self_attn.in_proj_bias"), Tensor::cat(biases, 0))?;
    for (name, map) in [names.out, names.up, names.down].iter().zip(&parts.maps[3..]) {
        put_linear(out, &of(name), map)?;
    }
    for (name, norm) in [names.norm_attention, names.norm_output].iter().zip(parts.norms) {
        put_norm(out, &of(name), norm)?;
    }
    Ok(())
}
