//! What is told of a session.

use std::sync::Arc;

use super::super::conf::Application;
use super::super::event;
use super::{End, Peer, Role};
use crate::client::Publication;
use crate::rtmp::{self, Limit};
use crate::stat::{ClientReport, Totals};

impl Peer {
    /// Whether it feeds another worker, and is no client.
    pub(in crate::nginx) fn feeds(&self) -> bool {
        self.feeds
    }

    /// nginx's number of the connection.
    pub(in crate::nginx) fn number(&self) -> u64 {
        self.connection.number()
    }

    /// What it publishes, and where.
    pub(in crate::nginx) fn publication(&self) -> Option<(&Publication, &Arc<Application>)> {
        match &self.role {
            Role::Publisher { publication, .. } => Some((publication, self.application.as_ref()?)),
            _ => None,
        }
    }

    /// Whether it publishes or plays a live stream.
    pub(in crate::nginx) fn is_live(&self) -> bool {
        matches!(self.role, Role::Publisher { .. } | Role::Player { .. })
    }

    /// What came and went, in bytes.
    pub(in crate::nginx) fn traffic(&self) -> (u64, u64) {
        (self.session.bytes_received(), self.connection.bytes_sent())
    }

    /// What is told of the client, but for what its stream knows.
    pub(in crate::nginx) fn client_report(&self) -> ClientReport {
        let (bytes_in, bytes_out) = self.traffic();
        ClientReport {
            id: self.info.id,
            address: self.info.addr.clone(),
            time: event::now().saturating_since(self.began).as_millis() as u64,
            flash_ver: self.info.flash_ver.clone(),
            page_url: self.info.page_url.clone(),
            swf_url: self.info.swf_url.clone(),
            publishing: matches!(self.role, Role::Publisher { .. }),
            bytes_in,
            bytes_out,
            protocol: self.connection.protocol(),
            outbox: self.outbox.len() as u64,
            tcp: self.connection.tcp_report(),
            ..ClientReport::default()
        }
    }

    /// The file that is played, by the name that the client has for it.
    pub(in crate::nginx) fn played_file(&self) -> Option<(&Arc<Application>, &str)> {
        let Role::File(_) = self.role else { return None };
        let name = self.told.as_ref()?.name();
        Some((self.application.as_ref()?, name))
    }
}

impl End {
    /// Counts a session that has ended so.
    pub(super) const fn count(&self, totals: &mut Totals) {
        let count = match self {
            Self::ClientClosed | Self::Closed => &mut totals.ended_by_client,
            Self::Broken => &mut totals.ended_broken,
            Self::Idle(_) | Self::NoProxyHeader | Self::SendTimeout => &mut totals.ended_timeout,
            Self::Protocol(rtmp::Error::Limit(
                Limit::ConnectTimeout(_)
                | Limit::StartTimeout(_)
                | Limit::PingTimeout(_)
                | Limit::Busy(_),
            )) => &mut totals.ended_timeout,
            Self::Protocol(_)
            | Self::NoTls
            | Self::BadCertificate
            | Self::BadProxyHeader
            | Self::Unread => &mut totals.ended_invalid,
            Self::Dropped | Self::Update => &mut totals.ended_dropped,
            Self::Exit | Self::Shutdown => &mut totals.ended_shutdown,
            Self::Bug => &mut totals.ended_bug,
        };
        *count += 1;
    }
}
