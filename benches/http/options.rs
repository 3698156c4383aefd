//! What the command line of the benchmark says. Never measures.

use std::path::PathBuf;

/// Measures stagedoor over HTTP and judges the published figures.
#[derive(Debug, Clone, clap::Parser)]
pub struct Options {
    /// Users in each directory.
    #[arg(long, value_delimiter = ',', default_value = "1000,20000,200000")]
    pub sizes: Vec<usize>,
    /// Clients at once.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    pub clients: Vec<usize>,
    /// Members of the groups that get one more; a group must be smaller than its directory.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000,100000")]
    pub groups: Vec<usize>,
    /// Measured seconds of one figure in one round.
    #[arg(long, default_value_t = 1.5)]
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
    /// Where the databases lie while it runs. The disk under it is a part of the result.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub directory: PathBuf,
    /// Keeps the servers' own output in files here, instead of dropping it.
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// Serves the bare handler: how the benchmark calls itself.
    #[arg(long, hide = true)]
    pub bare_handler: bool,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
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
        for list in [&mut self.sizes, &mut self.clients, &mut self.groups] {
            list.sort_unstable();
            list.dedup();
        }
        self.rounds = self.rounds.max(1);
        self
    }
}
