//! The tree of types: its shape, its distances, its text as an ontology.

use serde::Serialize;
use std::fmt::Write as _;

/// A tree whose leaves are the types, all at the same depth.
///
/// Level `l` has `round(n_types^(l / depth))` nodes, shared out among the nodes above as evenly as whole numbers allow
/// and in order, so that neighbours in the order of types are near in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeTree {
    /// Node counts of the levels, from the root (one) to the types.
    levels: Vec<usize>,
}

impl TypeTree {
    /// The tree of that depth with so many leaves.
    pub(crate) fn new(n_types: usize, depth: usize) -> Self {
        let share = |level: usize| (n_types as f64).powf(level as f64 / depth as f64).round() as usize;
        let mut levels: Vec<usize> = (0..=depth).map(share).collect();
        levels[depth] = n_types;
        Self { levels }
    }

    /// Edges from the root to every type.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// Number of types.
    pub fn n_types(&self) -> usize {
        self.levels[self.depth()]
    }

    /// Number of nodes of a level; 0 is the root.
    pub fn n_nodes(&self, level: usize) -> usize {
        self.levels[level]
    }

    /// The node of a level above a type.
    pub fn above(&self, kind: usize, level: usize) -> usize {
        (level..self.depth()).rev().fold(kind, |node, upper| node * self.levels[upper] / self.levels[upper + 1])
    }

    /// Edges between two types: twice the steps up to the nearest common node.
    pub fn distance(&self, a: usize, b: usize) -> usize {
        let steps = (0..=self.depth()).find(|it| {
            let level = self.depth() - it;
            self.above(a, level) == self.above(b, level)
        });
        2 * steps.unwrap_or(self.depth())
    }

    /// The name of a type: `type01`, numbered from 1 with as many digits as the last one needs.
    pub fn type_name(&self, kind: usize) -> String {
        let width = self.n_types().to_string().len().max(2);
        format!("type{:0width$}", kind + 1)
    }

    /// The id of a node in the ontology: `SIM:` and its number, level by level from the root.
    pub fn term_id(&self, level: usize, node: usize) -> String {
        let before: usize = self.levels[..level].iter().sum();
        format!("SIM:{:07}", before + node)
    }

    /// The tree as an OBO file, as `cellstone_io::read_obo` takes it.
    pub fn to_obo(&self) -> String {
        let mut text = "format-version: 1.2\ndata-version: simulated\nontology: sim\n".to_owned();
        for level in 0..=self.depth() {
            for node in 0..self.levels[level] {
                let id = self.term_id(level, node);
                let name = match level {
                    0 => "simulated cell".to_owned(),
                    _ if level == self.depth() => self.type_name(node),
                    _ => format!("group {level}.{}", node + 1),
                };
                let _ = write!(text, "\n[Term]\nid: {id}\nname: {name}\n");
                if level > 0 {
                    let parent = node * self.levels[level - 1] / self.levels[level];
                    let _ = writeln!(text, "is_a: {}", self.term_id(level - 1, parent));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_number_of_types() {
        let tree = TypeTree::new(89, 4);
        assert_eq!((0..=4).map(|it| tree.n_nodes(it)).collect::<Vec<_>>(), [1, 3, 9, 29, 89]);
        assert_eq!(tree.distance(0, 0), 0);
        assert_eq!(tree.distance(0, 1), 2);
        assert_eq!(tree.distance(0, 88), 8);
        for level in 1..=4 {
            let nodes = tree.n_nodes(level);
            let parents: std::collections::BTreeSet<usize> =
                (0..nodes).map(|it| it * tree.n_nodes(level - 1) / nodes).collect();
            assert_eq!(parents.len(), tree.n_nodes(level - 1), "every node has a child");
        }
    }

    #[test]
    fn distances_are_a_tree_metric() {
        let tree = TypeTree::new(8, 3);
        assert_eq!((0..=3).map(|it| tree.n_nodes(it)).collect::<Vec<_>>(), [1, 2, 4, 8]);
        let rows: Vec<usize> = (0..8).map(|it| tree.distance(0, it)).collect();
        assert_eq!(rows, [0, 2, 4, 4, 6, 6, 6, 6]);
        for a in 0..8 {
            for b in 0..8 {
                assert_eq!(tree.distance(a, b), tree.distance(b, a));
                // Ultrametric: of three distances the two largest are equal.
                assert!((0..8).all(|c| tree.distance(a, b) <= tree.distance(a, c).max(tree.distance(c, b))));
            }
        }
        assert_eq!(tree.term_id(3, 7), "SIM:0000014");
        assert!(tree.to_obo().ends_with("id: SIM:0000014\nname: type08\nis_a: SIM:0000006\n"));
    }
}
