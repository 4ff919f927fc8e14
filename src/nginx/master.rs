//! Master playlists: what all workers know of a stream's renditions.

use super::outputs::Outputs;
use super::worker::Shared;
use crate::live::{StreamId, StreamKey};
use crate::package::Rendition;

impl Shared {
    /// Writes the master playlist that the stream is a rendition in.
    ///
    /// Each worker that has a rendition writes it, with each of its segments: so it is right again
    /// one segment after renditions have come or gone, whichever worker had them.
    pub(super) fn write_master(&mut self, stream: StreamId) {
        let Some(key) = self.streams.channel(stream).map(|channel| channel.key.clone()) else {
            return;
        };
        if let (Some(cluster), Some(rendition)) = (&self.cluster, self.local_rendition(stream)) {
            cluster.note(&key, &rendition.to_string());
        }
        let Some(outputs) = self.outputs.get(&stream) else { return };
        let of = |name| self.rendition(&StreamKey { application: key.application, name });
        let renditions: Vec<_> = outputs.renditions().into_iter().map(of).collect();
        if let Some(packager) = self.outputs.get_mut(&stream).and_then(Outputs::packager) {
            packager.write_master(&renditions, &mut self.storage);
        }
    }

    /// What is known of a stream that some worker packages.
    fn rendition(&self, key: &StreamKey) -> Option<Rendition> {
        let local = self.streams.find(key).and_then(|stream| self.local_rendition(stream));
        local.or_else(|| self.cluster.as_ref()?.noted(key)?.parse().ok())
    }

    fn local_rendition(&self, stream: StreamId) -> Option<Rendition> {
        self.outputs.get(&stream)?.rendition()
    }
}
