//! The directives `allow` and `deny`.

use super::Block;
use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter};
use crate::access::{Action, Clients, Rule, Rules};

/// The rules of a block, and of those around it once they are inherited.
#[derive(Debug, Default)]
pub(super) struct AccessSettings(Rules);

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(c"allow", EVERYWHERE, Setter::OneOrTwo(|conf, block| add(conf, block, true))),
    Directive::new(c"deny", EVERYWHERE, Setter::OneOrTwo(|conf, block| add(conf, block, false))),
];

/// `allow|deny [publish|play] ADDRESS|ADDRESS/BITS|unix:|all`
fn add(conf: &mut Conf, block: &mut Block, allows: bool) -> Result<(), Failure> {
    let last = conf.args().len() - 1;
    let action = match (last, conf.text(1)?) {
        (1, _) => None,
        (_, "publish") => Some(Action::Publish),
        (_, "play") => Some(Action::Play),
        (_, other) => {
            return Err(format!(
                "has the invalid value \"{other}\", it must be \"publish\" or \"play\""
            )
            .into());
        }
    };
    let text = conf.text(last)?.to_owned();
    let (clients, has_host_bits) = Clients::parse(&text)
        .map_err(|error| format!("has the invalid address \"{text}\", {error}"))?;
    if has_host_bits {
        conf.warn(format_args!("low address bits of {text} are meaningless"));
    }
    block.settings.access.0.push(Rule { allows, action, clients });
    Ok(())
}

impl AccessSettings {
    pub(super) fn inherit(&mut self, parent: &Self) {
        self.0.inherit(&parent.0);
    }

    pub(super) fn rules(&self) -> Rules {
        self.0.clone()
    }
}
