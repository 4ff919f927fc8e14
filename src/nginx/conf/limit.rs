//! Limits of the whole program.

use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter, set_once};
use super::{Block, parse};

pub(super) const DIRECTIVES: &[Directive] =
    &[Directive::new(c"max_connections", EVERYWHERE, Setter::Argument(set_max_connections))];

/// Where and what a limit of the whole program was set to.
#[derive(Clone, Debug)]
pub(super) struct MaxConnections {
    limit: u32,
    place: String,
}

fn set_max_connections(conf: &mut Conf, block: &mut Block) -> Result<(), Failure> {
    let limit = parse::number(&conf.args()[1], &(1..=u32::MAX))?;
    let place = conf.place();
    set_once(&mut block.max_connections, MaxConnections { limit, place })
}

/// The one `max_connections` of `main` and the blocks in it.
pub(super) fn max_connections(main: &Block) -> Result<Option<u32>, Failure> {
    let servers = main.children.iter();
    let applications = servers.clone().flat_map(|server| &server.children);
    let blocks = std::iter::once(main).chain(servers).chain(applications);
    let mut limits = blocks.filter_map(|block| block.max_connections.as_ref());
    let first = limits.next();
    if let (Some(first), Some(second)) = (first, limits.next()) {
        let (first, second) = (&first.place, &second.place);
        return Err(format!(
            "has a duplicate \"max_connections\", at {first} and {second}; there is one limit for \
             all workers and servers"
        )
        .into());
    }
    Ok(first.map(|first| first.limit))
}
