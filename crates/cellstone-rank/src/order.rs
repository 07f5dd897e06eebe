//! The order of the genes of a cell.

/// Columns of a cell in descending order of value; ties keep the order of the file.
///
/// `columns` are ascending and as long as `values`.
pub fn rank_order(columns: &[u32], values: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..columns.len().min(values.len())).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(columns[*a].cmp(&columns[*b])));
    order.into_iter().map(|it| columns[it]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_file_order() {
        assert_eq!(rank_order(&[0, 1, 2, 3], &[1.0, 2.0, 1.0, 2.0]), [1, 3, 0, 2]);
        assert!(rank_order(&[], &[]).is_empty());
    }
}
