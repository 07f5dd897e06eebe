//! Rows of like length side by side.

/// Rows in batches of at most `tokens` tokens, padding counted, the short ones first; a longer row goes alone.
/// Rows of one length keep their order.
pub(crate) fn batches(lengths: &[usize], tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|it| lengths[*it]);
    let mut out: Vec<Vec<usize>> = Vec::new();
    for row in order {
        match out.last_mut() {
            // The newest row is the longest: all others are padded to it.
            Some(batch) if (batch.len() + 1) * lengths[row] <= tokens => batch.push(row),
            _ => out.push(vec![row]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_once_and_no_batch_too_large() {
        let lengths = [5, 1, 9, 5, 2, 30, 5];
        let found = batches(&lengths, 12);
        assert_eq!(found, [vec![1, 4], vec![0, 3], vec![6], vec![2], vec![5]]);
        assert!(batches(&[], 12).is_empty());
    }
}
