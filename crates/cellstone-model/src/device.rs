//! Which device runs the networks: asked for, found, chosen.

use burn::tensor::{Device, Tensor, TensorData};
use burn_wgpu::wgpu;
use cellstone_core::{Error, Result};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// WGPU on a hardware adapter if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU backend.
    Cpu,
    /// WGPU on whatever adapter there is; an error if there is none.
    Wgpu,
}

impl DeviceChoice {
    /// Parses `auto`, `cpu` or `wgpu`.
    ///
    /// # Errors
    /// For any other word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            other => Err(Error::config(format!("device `{other}`, expected `auto`, `cpu` or `wgpu`"))),
        }
    }
}

/// One graphics adapter of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Name as the driver gives it.
    pub name: String,
    /// Vulkan, Metal, DirectX 12, OpenGL.
    pub api: String,
    /// Driver and version.
    pub driver: String,
    /// Whether it is hardware; a software adapter computes on the CPU.
    pub hardware: bool,
}

/// The device that is used.
#[derive(Debug, Clone)]
pub struct Selected {
    device: Device,
    name: String,
}

impl Selected {
    /// For manifests and messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }
}

/// The graphics adapters of this machine, hardware first. Asks the drivers; creates no device.
pub fn probe() -> Vec<Adapter> {
    let instance = wgpu::Instance::default();
    let found = ready(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut adapters: Vec<Adapter> = found.iter().map(|it| describe(&it.get_info())).collect();
    adapters.sort_by_key(|it| (!it.hardware, it.name.clone(), it.api.clone()));
    adapters
}

fn describe(info: &wgpu::AdapterInfo) -> Adapter {
    use wgpu::DeviceType;
    Adapter {
        name: info.name.clone(),
        api: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        hardware: matches!(
            info.device_type,
            DeviceType::DiscreteGpu | DeviceType::IntegratedGpu | DeviceType::VirtualGpu
        ),
    }
}

/// Chooses the device.
///
/// # Errors
/// With `is_device` if WGPU was asked for and no adapter can be initialized.
pub fn select(choice: DeviceChoice) -> Result<Selected> {
    let cpu = || Selected { device: Device::flex(), name: "cpu (burn flex)".to_owned() };
    let adapters = if choice == DeviceChoice::Cpu { Vec::new() } else { probe() };
    let Some(adapter) = adapters.first().filter(|it| it.hardware || choice == DeviceChoice::Wgpu) else {
        if choice == DeviceChoice::Wgpu {
            return Err(Error::device("device `wgpu` was asked for, but the machine has no graphics adapter")
                .with_hint("use --device auto or --device cpu; `cargo xtask doctor` lists what was found"));
        }
        return Ok(cpu());
    };
    match Device::wgpu_options().init() {
        Ok(device) => Ok(Selected { device, name: format!("wgpu ({}, {})", adapter.name, adapter.api) }),
        Err(error) if choice == DeviceChoice::Wgpu => {
            Err(Error::device(format!("adapter `{}` cannot be initialized: {error:?}", adapter.name)))
        }
        Err(_) => Ok(cpu()),
    }
}

/// Multiplies two small matrices on the device and compares with the exact result.
///
/// # Errors
/// With `is_device` if the result is wrong.
pub fn self_test(selected: &Selected) -> Result<()> {
    const N: usize = 16;
    // Small whole numbers: every product and sum is exact in f32.
    let a: Vec<f32> = (0..N * N).map(|it| (it % 7) as f32 - 3.0).collect();
    let b: Vec<f32> = (0..N * N).map(|it| (it % 5) as f32 - 2.0).collect();
    let tensor = |it: &[f32]| Tensor::<2>::from_data(TensorData::new(it.to_vec(), [N, N]), &selected.device);
    let product = tensor(&a).matmul(tensor(&b)).into_data();
    let got: Vec<f32> = product.iter::<f32>().collect();
    for row in 0..N {
        for col in 0..N {
            let want: f32 = (0..N).map(|it| a[row * N + it] * b[it * N + col]).sum();
            if got[row * N + col] != want {
                return Err(Error::device(format!(
                    "`{}` computed {} where {want} is right",
                    selected.name,
                    got[row * N + col]
                )));
            }
        }
    }
    Ok(())
}

/// Waits for a future that a native driver has ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(it) = future.as_mut().poll(&mut context) {
            return it;
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_multiplies() {
        let selected = select(DeviceChoice::Cpu).expect("the CPU is always there");
        self_test(&selected).expect("exact products");
    }

    #[test]
    fn auto_never_fails() {
        let selected = select(DeviceChoice::Auto).expect("auto falls back to the CPU");
        self_test(&selected).expect("exact products");
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped check is printed, never silent")]
    fn asking_for_what_is_not_there_is_a_device_error() {
        if probe().is_empty() {
            assert!(select(DeviceChoice::Wgpu).expect_err("no adapter").is_device());
        } else {
            eprintln!("skipped: this machine has a graphics adapter");
        }
        assert!(DeviceChoice::parse("cuda").expect_err("unknown").is_config());
    }
}
