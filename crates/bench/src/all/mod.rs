//! Everything side by side. Each measurement is a process of its own and each run a log of its own, so that nothing is
//! warm for one and cold for the other; what belongs together runs back to back, because machines are noisy.
//!
//! [`Series`] holds what the same measurement said each time; [`one_log`] are the measurements that share a log;
//! [`Measured`] has the logs that are not needed any more.

mod measured;
mod one_log;
mod series;

use std::{collections::BTreeMap, env, fs, process::Command};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{
    args::{All, Mix, Part, Setup, Workload},
    cluster, report, usage,
};

use measured::Measured;
pub use series::{All as Series, One, Spread, at};

/// Before anything counts there are so many commands a second, for so many seconds: with small requests a broker's JVM
/// compiles other code than in a catch-up, which takes it half a core for that long.
const WARM_UP_RATE: u32 = 1_000;
const WARM_UP_S: u32 = 60;
/// With more partitions than by default, these rates.
const PARTITIONS: u32 = 4;
const PARTITIONS_RATES: [u32; 2] = [1_000, 10_000];
/// What that is called.
pub const MORE_PARTITIONS: &str = "latency, 4 partitions";

/// A log's topics are deleted once so many commands came after it, when the page cache has forgotten them. Were they
/// deleted at once, the memory of their files would be free, and a virtual machine's host may take that back: what is
/// written next has to get it again, page by page.
const KEPT_COMMANDS: u64 = 10_000_000;

/// Measures, prints tables, writes the JSON and the plots.
///
/// # Errors
/// If a measurement fails.
pub fn all(setup: &Setup, plan: &All) -> anyhow::Result<()> {
    let mut runs = Runs::new(setup, plan);
    if plan.warm_up_commands > 0 {
        eprintln!("warming up");
        let workload = Workload { commands: plan.warm_up_commands, ..plan.workload.clone() };
        one_log::warm_up(&mut runs, &workload)?;
        if plan.wants(Part::Latency) || plan.wants(Part::LatencyPartitions) {
            runs.latency("latency", &plan.workload.mix, WARM_UP_RATE, WARM_UP_S)?;
        }
        runs.series = Series::default();
    }
    for run in 1..=plan.runs {
        eprintln!("run {run} of {}", plan.runs);
        runs.once().with_context(|| format!("run {run}"))?;
        // After each run: a long measurement that fails late has something to show.
        runs.write()?;
    }
    runs.delete(0)?;
    println!("{}", report::tables(&runs.series));
    Ok(())
}

/// The runs so far.
struct Runs<'a> {
    setup: &'a Setup,
    plan: &'a All,
    logs: u32,
    series: Series,
    measured: Measured<Setup>,
    /// For each kind of log, the settings with which the limit is highest.
    limits: BTreeMap<String, &'static [&'static str]>,
}

impl<'a> Runs<'a> {
    fn new(setup: &'a Setup, plan: &'a All) -> Self {
        Self { setup, plan, logs: 0, series: Series::default(), measured: Measured::default(), limits: BTreeMap::new() }
    }

    /// Every part that is wanted.
    fn once(&mut self) -> anyhow::Result<()> {
        let plan = self.plan;
        let several = several(plan);
        let together = [Part::CatchUp, Part::View, Part::Replay].map(|part| plan.wants(part).then_some(part));
        let together: Vec<Part> = together.into_iter().flatten().collect();
        if !together.is_empty() {
            one_log::measure(self, &together, &several, &plan.workload)?;
        }
        if plan.wants(Part::SingleNumber) {
            let mix = Mix { numbers: 1, partitions: 1, ..plan.workload.mix.clone() };
            one_log::measure(self, &[Part::CatchUp], "one number", &Workload { mix, ..plan.workload.clone() })?;
        }
        if plan.wants(Part::Latency) {
            for rate in &plan.rates {
                self.latency("latency", &plan.workload.mix, *rate, plan.rate_seconds)?;
            }
        }
        if plan.wants(Part::LatencyPartitions) {
            let mix = Mix { partitions: PARTITIONS, ..plan.workload.mix.clone() };
            for rate in PARTITIONS_RATES {
                self.latency(MORE_PARTITIONS, &mix, rate, plan.rate_seconds)?;
            }
        }
        if plan.wants(Part::Restart) {
            for workload in self.sizes() {
                self.on_its_own("restart", workload.commands, &self.workload(&workload))?;
            }
        }
        if plan.wants(Part::History) {
            self.on_its_own("history", plan.entries, &[format!("--entries={}", plan.entries)])?;
        }
        if plan.wants(Part::Growth) {
            for workload in self.sizes() {
                one_log::growth(self, &workload)?;
            }
        }
        if plan.wants(Part::Embedded) {
            // It has no topics that would have to be deleted.
            let said = this(&self.new_log(), "embedded", &self.workload(&plan.workload))?;
            self.series.add("embedded", &several, said);
        }
        Ok(())
    }

    fn latency(&mut self, what: &'static str, mix: &Mix, rate: u32, seconds: u32) -> anyhow::Result<()> {
        let pace = [format!("--rate={rate}"), format!("--seconds={seconds}")];
        let commands = u64::from(rate) * u64::from(seconds);
        let said = self.with_new_log("latency", commands, &[&pace[..], &about(mix)].concat())?;
        self.series.add(what, &rate.to_string(), said);
        Ok(())
    }

    /// The workload in several sizes.
    fn sizes(&self) -> Vec<Workload> {
        let sized = |&commands: &u64| Workload { commands, ..self.plan.workload.clone() };
        self.plan.sizes.iter().map(sized).collect()
    }

    fn workload(&self, workload: &Workload) -> Vec<String> {
        let commands = format!("--commands={}", workload.commands);
        [commands].into_iter().chain(about(&workload.mix)).collect()
    }

    /// A log that nobody has used.
    fn new_log(&mut self) -> Setup {
        self.logs += 1;
        let prefix = format!("{}-{}-{}", self.setup.prefix, std::process::id(), self.logs);
        Setup { prefix, ..self.setup.clone() }
    }

    /// A measurement of one size, with a log of its own.
    fn on_its_own(&mut self, what: &'static str, commands: u64, arguments: &[String]) -> anyhow::Result<()> {
        let said = self.with_new_log(what, commands, arguments)?;
        self.series.add(what, &in_millions(commands), said);
        Ok(())
    }

    fn with_new_log(&mut self, what: &str, commands: u64, arguments: &[String]) -> anyhow::Result<Value> {
        let log = self.new_log();
        let said = this(&log, what, arguments)?;
        self.finish(log, commands)?;
        Ok(said)
    }

    /// A log with so many commands is not needed any more.
    fn finish(&mut self, log: Setup, commands: u64) -> anyhow::Result<()> {
        self.measured.add(log, commands);
        self.delete(KEPT_COMMANDS)
    }

    /// Deletes the logs after which at least so many commands came.
    fn delete(&mut self, kept: u64) -> anyhow::Result<()> {
        while let Some(log) = self.measured.take_before(kept) {
            cluster::delete_topics(&log)?;
        }
        Ok(())
    }

    fn write(&self) -> anyhow::Result<()> {
        if let Some(path) = &self.plan.json {
            let json = json!({ "workload": self.workload(&self.plan.workload), "series": self.series });
            fs::write(path, format!("{json:#}\n")).with_context(|| path.display().to_string())?;
        }
        match &self.plan.plots {
            Some(dir) => report::plots(&self.series, dir),
            None => Ok(()),
        }
    }
}

/// One of this program's own measurements, as a process of its own.
fn this(setup: &Setup, what: &str, arguments: &[String]) -> anyhow::Result<Value> {
    eprintln!("{what} {}", arguments.join(" "));
    let mut command = Command::new(env::current_exe()?);
    command.arg(what).args(arguments).arg("--bin").arg(&setup.bin);
    command.args(["--bootstrap", &setup.bootstrap, "--prefix", &setup.prefix]);
    command.args(setup.broker_pid.map(|pid| format!("--broker-pid={pid}")));
    // What was written before must not keep the disk busy now.
    rustix::fs::sync();
    let ran = usage::run(&mut command)?;
    serde_json::from_str(&ran.stdout).with_context(|| format!("it said: {}", ran.stdout))
}

fn about(mix: &Mix) -> Vec<String> {
    let Mix { partitions, numbers, conversations, seed } = mix;
    vec![
        format!("--partitions={partitions}"),
        format!("--numbers={numbers}"),
        format!("--conversations={conversations}"),
        format!("--seed={seed}"),
    ]
}

fn several(plan: &All) -> String {
    format!("{} partitions", plan.workload.mix.partitions)
}

fn in_millions(count: u64) -> String {
    format!("{} M", count as f64 / 1e6)
}
