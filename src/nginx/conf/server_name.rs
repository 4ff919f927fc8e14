//! The directive `server_name`, and those of the tables that the C module's forks keep names in.

use super::Block;
use super::directive::{Conf, Directive, Failure, MAIN, SERVER, Setter};
use crate::nginx::regex::Regex;
use crate::virtual_host::Name;

/// A name of a server.
#[derive(Clone, Debug)]
pub(super) struct ServerName {
    /// As the configuration has it.
    pub(super) text: String,
    pub(super) name: Name<Regex>,
}

impl ServerName {
    /// The name of a server that has no other.
    pub(super) fn empty() -> Self {
        Self { text: String::new(), name: Name::Exact(String::new()) }
    }
}

const NO_TABLE: &str = "tables of names grow as they need";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"server_name", SERVER, Setter::Arguments(set_server_name)),
    Directive::new(c"server_names_hash_max_size", MAIN, Setter::Unused(NO_TABLE)),
    Directive::new(c"server_names_hash_bucket_size", MAIN, Setter::Unused(NO_TABLE)),
    Directive::new(c"variables_hash_max_size", MAIN, Setter::Unused(NO_TABLE)),
    Directive::new(c"variables_hash_bucket_size", MAIN, Setter::Unused(NO_TABLE)),
];

/// `server_name NAME...`
fn set_server_name(conf: &mut Conf, server: &mut Block) -> Result<(), Failure> {
    for index in 1..conf.args().len() {
        let text = match conf.text(index)? {
            "$hostname" => conf.hostname(),
            text => text.to_owned(),
        };
        let name = match text.strip_prefix('~') {
            Some("") => return Err("has an empty expression".to_owned().into()),
            Some(expression) => Name::Pattern(Regex::compile(conf, expression)?),
            None => Name::parse(&text)
                .map_err(|error| format!("has the invalid name \"{text}\", {error}"))?,
        };
        server.names.push(ServerName { text, name });
    }
    Ok(())
}
