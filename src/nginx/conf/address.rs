//! The addresses that servers listen on, and which server a connection to one is for.

use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

use super::Server;
use super::directive::{Conf, Failure};
use super::listen::Listen;
use super::server_name::ServerName;
use crate::nginx::regex::Regex;
use crate::nginx::tls::Context;
use crate::virtual_host::{VirtualHosts, host_of, normalise};

/// A server with what chooses it among those of one address.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) server: Arc<Server>,
    names: Vec<ServerName>,
}

impl Candidate {
    /// A server without a name has the empty one.
    pub(super) fn new(server: Arc<Server>, names: Vec<ServerName>) -> Self {
        Self { server, names: if names.is_empty() { vec![ServerName::empty()] } else { names } }
    }
}

/// An address, and the servers that listen on it, in the order of the configuration.
#[derive(Debug)]
struct Address<'a> {
    listen: Listen,
    /// Each with where it says so.
    servers: Vec<(&'a Candidate, String)>,
    /// Where the default server says that it is the one, and which.
    default: Option<(String, &'a Candidate)>,
}

/// The servers behind one listening socket.
#[derive(Debug)]
pub(in crate::nginx) struct Listener {
    /// The address the socket is bound to.
    bound: Endpoint,
    /// Addresses of the same port that the bound wildcard covers.
    covered: Vec<(IpAddr, Endpoint)>,
}

/// An address as a connection to it sees it.
#[derive(Clone, Debug)]
pub(in crate::nginx) struct Endpoint {
    /// The default server, until the client has said which host it means.
    pub(in crate::nginx) server: Arc<Server>,
    /// All servers, if there are several.
    hosts: Option<Arc<Hosts>>,
    pub(in crate::nginx) text: String,
    pub(in crate::nginx) proxy_protocol: bool,
    /// What TLS needs, where it is used.
    pub(in crate::nginx) tls: Option<Context>,
}

type Hosts = VirtualHosts<Arc<Server>, Regex>;

impl Listener {
    /// The endpoint of a connection. `local` finds out its local address, which costs a system
    /// call, so it is only called where that decides.
    pub(in crate::nginx) fn endpoint(&self, local: impl FnOnce() -> Option<IpAddr>) -> &Endpoint {
        if self.covered.is_empty() {
            return &self.bound;
        }
        let local = local();
        self.covered
            .iter()
            .find(|(address, _)| Some(*address) == local)
            .map_or(&self.bound, |(_, endpoint)| endpoint)
    }
}

impl Endpoint {
    /// What another worker is fed through.
    pub(in crate::nginx) fn between_workers(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            hosts: None,
            text: "unix:".to_owned(),
            proxy_protocol: false,
            tls: None,
        }
    }

    /// Chooses the server by the URL that the client says it connects to.
    ///
    /// # Errors
    ///
    /// That server wants to see certificates, and the client made its TLS handshake with another.
    pub(in crate::nginx) fn choose(&mut self, url: &str) -> Result<(), Misdirected> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let server = hosts.find(host_of(url).as_deref());
        let is_met = self.tls.is_none() || server.tls == self.tls;
        if !is_met && server.tls.is_some_and(Context::verifies) {
            return Err(Misdirected);
        }
        self.server = Arc::clone(server);
        Ok(())
    }

    /// The server for the host that a client has named in its TLS handshake is the one that is to
    /// judge what it has shown.
    pub(in crate::nginx) fn choose_by_tls(&mut self, host: Option<String>) {
        if let Some(hosts) = &self.hosts
            && let Some(host) = host.as_deref().and_then(normalise)
            && let server = hosts.find(Some(&host))
            && server.tls.is_some()
        {
            self.tls = server.tls;
            self.server = Arc::clone(server);
        }
    }

    /// What TLS needs where a client names the host.
    #[cfg(ngx_feature = "ssl")]
    pub(in crate::nginx) fn tls_of(&self, host: &str) -> Option<Context> {
        self.hosts.as_ref()?.find(Some(&normalise(host)?)).tls
    }
}

/// A client was met by TLS as one server wants it, and means another.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the URL's server wants to see a certificate, and TLS was begun with another one")]
pub(in crate::nginx) struct Misdirected;

/// Gives nginx the sockets to open. Where a wildcard address has the port, the other addresses of
/// that port share its socket unless they ask for their own, as two sockets cannot have one port.
pub(super) fn add_listeners(
    conf: &mut Conf,
    servers: &[(Vec<Listen>, Candidate)],
) -> Result<(), Failure> {
    let addresses = addresses(servers)?;
    let mut endpoints = Vec::new();
    for address in &addresses {
        endpoints.push(address.endpoint(conf)?);
    }
    for (address, bound) in addresses.iter().zip(&endpoints) {
        let listen = &address.listen;
        if addresses.iter().any(|other| other.listen.covers(listen)) {
            continue;
        }
        let covered = addresses
            .iter()
            .zip(&endpoints)
            .filter(|(other, _)| listen.covers(&other.listen))
            .filter_map(|(other, endpoint)| Some((other.listen.ip()?, endpoint.clone())))
            .collect();
        listen.open(conf, Listener { bound: bound.clone(), covered })?;
    }
    Ok(())
}

/// Each address once.
fn addresses(servers: &[(Vec<Listen>, Candidate)]) -> Result<Vec<Address<'_>>, Failure> {
    let mut addresses: Vec<Address<'_>> = Vec::new();
    for (listens, candidate) in servers {
        for listen in listens {
            let same = |address: &&mut Address<'_>| address.listen.text() == listen.text();
            match addresses.iter_mut().find(same) {
                Some(address) => address.add(listen, candidate)?,
                None => addresses.push(Address {
                    listen: listen.clone(),
                    servers: vec![(candidate, listen.place().to_owned())],
                    default: listen
                        .is_default_server()
                        .then(|| (listen.place().to_owned(), candidate)),
                }),
            }
        }
    }
    Ok(addresses)
}

impl<'a> Address<'a> {
    /// Takes in another server.
    fn add(&mut self, listen: &Listen, candidate: &'a Candidate) -> Result<(), Failure> {
        let (text, place) = (listen.text(), listen.place());
        let is_same = |other: &Candidate| Arc::ptr_eq(&other.server, &candidate.server);
        let is_nameless = |it: &Candidate| it.names.iter().all(|name| name.text.is_empty());
        let is_taken =
            |other: &Candidate| is_same(other) || (is_nameless(other) && is_nameless(candidate));
        if let Some((_, first)) = self.servers.iter().find(|(other, _)| is_taken(other)) {
            return Err(format!(
                "has a duplicate \"listen {text}\", at {first} and {place}; servers that share an \
                 address are told apart by their \"server_name\""
            )
            .into());
        }
        if listen.is_default_server()
            && let Some((first, _)) = self.default.replace((place.to_owned(), candidate))
        {
            return Err(format!(
                "has a duplicate default server for {text}, at {first} and {place}"
            )
            .into());
        }
        self.listen.merge(listen)?;
        self.servers.push((candidate, place.to_owned()));
        Ok(())
    }

    fn endpoint(&self, conf: &mut Conf) -> Result<Endpoint, Failure> {
        let (first, _) = self.servers.first().ok_or_else(|| "has no server".to_owned())?;
        let default = self.default.as_ref().map_or(first, |(_, candidate)| candidate);
        // Where a client names no host in its handshake. Of a default server without, another's.
        let candidates = self.servers.iter().map(|(candidate, _)| *candidate);
        let tls = iter::once(*default).chain(candidates).find_map(|other| other.server.tls);
        let hosts = (self.servers.len() > 1).then(|| Arc::new(self.hosts(conf, default)));
        Ok(Endpoint {
            server: Arc::clone(&default.server),
            hosts,
            text: self.listen.text().to_owned(),
            proxy_protocol: self.listen.has_proxy_protocol(),
            tls: tls.filter(|_| self.listen.is_tls()),
        })
    }

    fn hosts(&self, conf: &mut Conf, default: &Candidate) -> Hosts {
        let mut hosts = Hosts::new(Arc::clone(&default.server));
        for (candidate, place) in &self.servers {
            for ServerName { text, name } in &candidate.names {
                if !hosts.insert(name.clone(), &candidate.server) {
                    let address = self.listen.text();
                    conf.warn(format_args!(
                        "conflicting server name \"{text}\" on {address} at {place}, ignored"
                    ));
                }
            }
        }
        hosts
    }
}
