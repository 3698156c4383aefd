//! What the command line of the benchmark says. Never measures.

use std::path::PathBuf;

use crate::figures::Database;

/// Measures stagedoor over HTTP and judges the published figures.
#[derive(Debug, Clone, clap::Parser)]
pub struct Options {
    /// The databases, one after the other.
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    pub database: Databases,
    /// Users of the measured company in each directory on SQLite.
    #[arg(long, value_delimiter = ',', default_value = "1000,20000,200000,1000000")]
    pub sizes: Vec<usize>,
    /// The same on PostgreSQL; without it the smallest and the largest of `--sizes`.
    #[arg(long, value_delimiter = ',')]
    pub postgres_sizes: Vec<usize>,
    /// What names and attributes of all users follow from.
    #[arg(long, default_value_t = 7643)]
    pub seed: u64,
    /// Clients at once.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    pub clients: Vec<usize>,
    /// Members of the groups that get one more; a group must be smaller than its directory.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000,100000")]
    pub groups: Vec<usize>,
    /// Measured seconds of one figure in one round.
    #[arg(long, default_value_t = 0.8)]
    pub seconds: f64,
    /// Rounds; a figure is the median of them.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Small sizes and short times: shows that everything runs, judges nothing.
    #[arg(long)]
    pub quick: bool,
    /// Also writes every figure here, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Also writes a report with plots into this folder.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Also puts the short table between the marks for it in this Markdown file.
    #[arg(long)]
    pub readme: Option<PathBuf>,
    /// Where the databases lie while it runs. The disk under it is a part of the result.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub directory: PathBuf,
    /// Keeps the servers' own output in files here, instead of dropping it.
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// Serves the bare handler: how the benchmark calls itself.
    #[arg(long, hide = true)]
    pub bare_handler: bool,
    /// Drives the database at this URL, over HTTP with the bare handler: how the benchmark calls itself.
    #[arg(long, hide = true)]
    pub bare_database: Option<String>,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// Which databases are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Databases {
    /// SQLite.
    Sqlite,
    /// PostgreSQL, one that is started for it.
    Postgres,
    /// First the one, then the other.
    Both,
}

impl Options {
    /// The options with the meaning of `--quick` filled in, every list in rising order.
    pub fn settled(mut self) -> Self {
        if self.quick {
            self.sizes = vec![100, 300];
            self.clients = vec![1, 8];
            self.groups = vec![10, 200];
            self.seconds = 0.2;
            self.rounds = 1;
        }
        for list in [&mut self.sizes, &mut self.postgres_sizes, &mut self.clients, &mut self.groups]
        {
            list.sort_unstable();
            list.dedup();
        }
        if self.postgres_sizes.is_empty() {
            let ends = [self.sizes.first(), self.sizes.last()];
            self.postgres_sizes = ends.into_iter().flatten().copied().collect();
            self.postgres_sizes.dedup();
        }
        self.rounds = self.rounds.max(1);
        self
    }

    /// The databases in their order, each with the sizes of its directories.
    pub fn stages(&self) -> Vec<(Database, &[usize])> {
        let sqlite = (Database::Sqlite, self.sizes.as_slice());
        let postgres = (Database::Postgres, self.postgres_sizes.as_slice());
        match self.database {
            Databases::Sqlite => vec![sqlite],
            Databases::Postgres => vec![postgres],
            Databases::Both => vec![sqlite, postgres],
        }
    }
}
