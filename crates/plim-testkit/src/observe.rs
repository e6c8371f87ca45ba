//! An observer that keeps what it sees.

use std::sync::{Arc, Mutex, MutexGuard};

use plim_oci::{Digest, EntryHead, Events, LayerObserver, ObserveLayers};

/// A layer as an observer saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenLayer {
    /// The entries with their content.
    pub entries: Vec<(EntryHead, Vec<u8>)>,
    /// diffID and size in bytes, once the layer is finished.
    pub finished: Option<(Digest, u64)>,
}

/// Keeps all layers that pass; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    layers: Arc<Mutex<Vec<SeenLayer>>>,
}

impl Seen {
    /// Returns one that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the layers, in the order of their beginning.
    pub fn layers(&self) -> Vec<SeenLayer> {
        self.lock().clone()
    }

    /// Returns an observer of one layer.
    pub fn observer(&self) -> Box<dyn LayerObserver> {
        let mut layers = self.lock();
        layers.push(SeenLayer::default());
        Box::new(Watcher { seen: self.clone(), place: layers.len() - 1 })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SeenLayer>> {
        self.layers.lock().expect("no test panics while it observes")
    }
}

impl ObserveLayers for Seen {
    fn observe(&self) -> Box<dyn LayerObserver> {
        self.observer()
    }
}

struct Watcher {
    seen: Seen,
    place: usize,
}

impl LayerObserver for Watcher {
    fn entry(&mut self, head: &EntryHead) {
        self.seen.lock()[self.place].entries.push((head.clone(), Vec::new()));
    }

    fn data(&mut self, bytes: &[u8]) {
        let mut layers = self.seen.lock();
        let (_, content) = layers[self.place].entries.last_mut().expect("data comes after an entry");
        content.extend_from_slice(bytes);
    }

    fn end(&mut self) {}

    fn finish(self: Box<Self>, diff_id: &Digest, size: u64, _events: &dyn Events) {
        self.seen.lock()[self.place].finished = Some((diff_id.clone(), size));
    }
}
