//! What callbacks, commands and relays are told of who is connected and of what is published.

use std::sync::Arc;

use crate::rtmp::command::{Connect, PublishKind};

/// A connected client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The application it connected to, without its query.
    pub app: String,
    /// The query of the application, without the `?`.
    pub app_args: String,
    /// `flashVer`: the client's name and version.
    pub flash_ver: String,
    /// `swfUrl`: where the client's program comes from.
    pub swf_url: String,
    /// `tcUrl`: the URL the client connected to.
    pub tc_url: String,
    /// `pageUrl`: the page it is embedded in.
    pub page_url: String,
    /// Its address without the port; `unix:` of a unix socket.
    pub addr: String,
    /// nginx's number of the connection; never reused while nginx runs.
    pub id: u64,
}

impl ClientInfo {
    /// The client at `addr` that sent `connect` on connection `id`.
    pub fn new(connect: &Connect, addr: String, id: u64) -> Self {
        Self {
            app: connect.app.clone(),
            app_args: connect.args.clone(),
            flash_ver: connect.flash_ver.clone(),
            swf_url: connect.swf_url.clone(),
            tc_url: connect.tc_url.clone(),
            page_url: connect.page_url.clone(),
            addr,
            id,
        }
    }
}

/// A stream that a client publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Who publishes it.
    pub client: Arc<ClientInfo>,
    /// The stream's name, without its query.
    pub name: String,
    /// The query of the name, without the `?`.
    pub args: String,
    /// What is to be done with the stream.
    pub kind: PublishKind,
}

/// A stream that a client plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// Who plays it.
    pub client: Arc<ClientInfo>,
    /// The stream's name, without its query.
    pub name: String,
    /// The query of the name, without the `?`.
    pub args: String,
}
