//! The workers of the demo, on a log in a temporary folder: the same that `up` runs, moved by hand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use partyline_ledger::Service;
use partyline_log::{Backend, Bounds, Publisher, TopicKind, Topics, embedded::Embedded};
use partyline_projector::{
    Answer, Counts, Layout, Project, Query, Replay, ReplayedView, Settings, View, ViewSummary, replay_spans,
};
use partyline_wire::{command_from_json, partition_of};
use tempfile::TempDir;

use crate::show;

/// One number is one partition, so the demo's log needs no more.
const PARTITIONS: u32 = 1;
/// Nothing in the demo takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a worker waits for what is on its way.
const WAIT: Duration = Duration::from_millis(10);

/// Everything that runs. Dropping it removes the folder.
pub struct Stage {
    views: Vec<(&'static str, View)>,
    project: Project,
    backend: Arc<dyn Backend>,
    dir: TempDir,
}

impl Stage {
    /// A new log, a projector, and a view for each of the services.
    pub fn open(services: &[&'static str]) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("partyline-demo-").tempdir().context("no temporary folder")?;
        let layout = Layout::new(dir.path());
        let log = Embedded::open(&layout.embedded_log(), Topics::new("partyline"), PARTITIONS)?;
        let backend: Arc<dyn Backend> = Arc::new(log);
        for service in services {
            backend.create(&backend.topics().view(service), TopicKind::View, PARTITIONS)?;
        }
        let project = Project::open(Arc::clone(&backend), "demo", &layout, Settings::default())?;
        let open = |service: &&'static str| {
            let dir = layout.view_store(service);
            anyhow::Ok((*service, View::open(&backend, service, &dir, Settings::default(), Instant::now())?))
        };
        let views = services.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { views, project, backend, dir })
    }

    /// Publishes commands, and waits until every view has what they did.
    pub fn play(&mut self, lines: &[String]) -> anyhow::Result<()> {
        self.publish(lines)?;
        let deadline = Instant::now() + PATIENCE;
        let commands = Arc::clone(&self.backend.topics().commands);
        let end = end_of(&self.backend.bounds(&commands)?);
        while self.backend.committed()?.iter().map(|(_, committed)| committed.next_offset).sum::<u64>() < end {
            self.project.step(Instant::now(), WAIT)?;
            ensure!(Instant::now() < deadline, "the projector did not reach the end of the log");
        }
        for (service, view) in &mut self.views {
            let bounds = self.backend.bounds(&self.backend.topics().view(service))?;
            while bounds.iter().any(|bounds| view.position(bounds.partition) < bounds.end) {
                view.step(Instant::now(), WAIT)?;
                ensure!(Instant::now() < deadline, "the view of {service} did not reach the end of its topic");
            }
        }
        Ok(())
    }

    fn publish(&self, lines: &[String]) -> anyhow::Result<()> {
        let topic = Arc::clone(&self.backend.topics().commands);
        let mut publisher = self.backend.publisher()?;
        for (tag, line) in lines.iter().enumerate() {
            let command = command_from_json(line)?;
            let key = command.command.number.as_bytes();
            publisher.send(tag as u64, &topic, partition_of(key, PARTITIONS), key, &command.value)?;
        }
        while publisher.outstanding() > 0 {
            acknowledged(&mut *publisher)?;
        }
        Ok(())
    }

    /// Asks a service's view.
    pub fn ask(&mut self, service: &str, query: &Query) -> anyhow::Result<Answer> {
        let view = self.views.iter_mut().find(|(name, _)| *name == service);
        let (_, view) = view.with_context(|| format!("there is no view of {service}"))?;
        Ok(view.answer(query, Instant::now())?)
    }

    /// Visits the rows of a service's view whose keys begin with `prefix`, in key order.
    pub fn each_row(&mut self, service: &str, prefix: &str, visit: &mut show::Visit<'_>) -> anyhow::Result<()> {
        show::each_row(&mut |query: &Query| self.ask(service, query), prefix, visit)
    }

    /// Builds a service's view from the log alone.
    pub fn replay(&self, service: &str) -> anyhow::Result<ViewSummary> {
        let scratch = self.dir.path().join("replay").join(service);
        let dirs = (scratch.join("rules"), scratch.join("view"));
        let service = Service::new(service)?;
        let spans = replay_spans(&self.backend, &[])?;
        let mut view = ReplayedView::open(&self.backend, &service, &dirs.1, false, Settings::default())?;
        let mut replay = Replay::open(&self.backend, service, &spans, &dirs.0, Settings::default())?;
        let deadline = Instant::now() + PATIENCE;
        while !replay.is_done() {
            replay.step(WAIT, &mut |rows| view.take(rows))?;
            ensure!(Instant::now() < deadline, "the replay did not reach the end of the log");
        }
        Ok(view.finish()?)
    }

    /// Stops everything, and says what the projector did.
    pub fn close(self) -> anyhow::Result<Counts> {
        let Self { views, project, backend, dir } = self;
        views.into_iter().try_for_each(|(_, view)| view.close())?;
        let counts = project.close(Instant::now())?;
        drop(backend);
        dir.close().context("the temporary folder could not be removed")?;
        Ok(counts)
    }
}

fn acknowledged(publisher: &mut dyn Publisher) -> anyhow::Result<()> {
    for receipt in publisher.receipts(WAIT)? {
        if let Err(reason) = receipt.result {
            bail!("the log refused a command: {reason}");
        }
    }
    Ok(())
}

fn end_of(bounds: &[Bounds]) -> u64 {
    bounds.iter().map(|bounds| bounds.end).sum()
}
