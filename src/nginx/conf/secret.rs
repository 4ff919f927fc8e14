//! The directives `publish_secret` and `play_secret`.

use super::directive::{Conf, Directive, EVERYWHERE, Failure, Setter, set_once};
use super::{Block, settings};
use crate::access::token::{Secret, Secrets};

settings! {
    /// What tokens are made with; the inner option is none where a block needs no tokens.
    SecretSettings {
        publish_secret: Option<Secret>,
        play_secret: Option<Secret>,
    }
}

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(
        c"publish_secret",
        EVERYWHERE,
        Setter::Argument(|conf, block| set(conf, &mut of(block).publish_secret)),
    ),
    Directive::new(
        c"play_secret",
        EVERYWHERE,
        Setter::Argument(|conf, block| set(conf, &mut of(block).play_secret)),
    ),
];

fn of(block: &mut Block) -> &mut SecretSettings {
    &mut block.settings.secret
}

/// `KEY|off`
fn set(conf: &mut Conf, slot: &mut Option<Option<Secret>>) -> Result<(), Failure> {
    let secret = match conf.args()[1].as_bytes() {
        b"" => {
            return Err("has an empty key, it must be a secret text or \"off\"".to_owned().into());
        }
        b"off" => None,
        key => Some(Secret::new(key)),
    };
    set_once(slot, secret)
}

impl SecretSettings {
    pub(super) fn secrets(&self) -> Secrets {
        let of = |secret: &Option<Option<Secret>>| secret.clone().flatten();
        Secrets { publish: of(&self.publish_secret), play: of(&self.play_secret) }
    }
}
