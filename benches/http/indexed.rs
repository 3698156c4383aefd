//! What a create indexes beside the columns of the table of users: the bare rows have columns for it,
//! each with an index, so that they go into as many indexes as a created user does.

/// The values of a measured user that are promised an index and have no column in the table of users.
pub const COLUMNS: [&str; 7] = [
    "email",
    "family_name",
    "given_name",
    "employee_number",
    "cost_center",
    "organization",
    "department",
];

/// The statements that give a table these columns and their indexes, for both databases.
pub fn columns_of(table: &str) -> String {
    let column = |name: &str| {
        format!(
            "ALTER TABLE {table} ADD COLUMN {name} TEXT; \
             CREATE INDEX {table}_by_{name} ON {table} (company_seq, {name});"
        )
    };
    COLUMNS.iter().map(|name| column(name)).collect()
}

/// The values of a row: as spread and as often the same as those of the measured users.
pub fn values(number: u64, spread: u64) -> [String; COLUMNS.len()] {
    [
        format!("{spread:016x}@bare.example"),
        format!("family {}", spread % 199),
        format!("given {}", spread % 149),
        number.to_string(),
        (4000 + number % 37).to_string(),
        "bare".to_owned(),
        format!("department {}", spread % 20),
    ]
}
