//! Tables on disk: typed columns, parquet and csv, rows as plain structs, and printing any of them.

mod atomic;
mod checksum;
mod column;
mod csv;
mod parquet;
mod print;
mod row;
pub mod schema;

pub(crate) use atomic::{write_atomic, write_whole};
pub use column::{ColumnData, Table};
pub use print::{PrintOptions, print_table};
pub use row::{
    Field, Row, WrittenTable, read_table, read_table_if_present, sha256_hex, table_path, take_column, write_columns,
    write_table,
};
