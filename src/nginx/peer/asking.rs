//! What a session asks callbacks before it does what its client wants, and how it goes on.

use std::sync::Arc;

use super::super::http_client::CallId;
use super::super::log::Level;
use super::super::notify::NoReply;
use super::super::worker::Shared;
use super::telling::Told;
use super::{End, Peer};
use crate::http::Head;
use crate::notify::{Call, Event, Verdict, relay_name};
use crate::relay::{Direction, Target};
use crate::rtmp;
use crate::rtmp::command::{Connect, Play, Publish};
use crate::rtmp::session::{PlayRefusal, PublishRefusal};

/// What the client wants.
pub(super) enum Wish {
    Connect(Arc<Connect>),
    Publish(Box<Publish>),
    Play(Box<Play>),
}

/// A question whose answer has not come yet. The session processes no input before it has.
pub(super) struct Asked {
    call: CallId,
    wish: Wish,
}

impl Wish {
    /// As a callback is told it. `epoch` is when the session began, in milliseconds.
    fn event(&self, epoch: u32) -> Event<'static> {
        match self {
            Self::Connect(_) => Event::Connect { epoch },
            Self::Publish(publish) => Event::Publish(publish.kind),
            Self::Play(play) => {
                Event::Play { start: play.start, duration: play.duration, reset: play.reset }
            }
        }
    }

    /// What is asked for goes by another name.
    fn rename(&mut self, name: String, args: Option<String>) {
        let (old_name, old_args) = match self {
            Self::Connect(connect) => {
                let connect = Arc::make_mut(connect);
                (&mut connect.app, &mut connect.args)
            }
            Self::Publish(publish) => (&mut publish.name, &mut publish.args),
            Self::Play(play) => (&mut play.name, &mut play.args),
        };
        *old_name = name;
        if let Some(args) = args {
            *old_args = args;
        }
    }
}

impl Peer {
    /// Asks the callback, if there is one, and goes on with its consent.
    pub(super) fn ask(&mut self, wish: Wish, shared: &mut Shared) -> Result<(), rtmp::Error> {
        let notify = Arc::clone(self.notify());
        let call = Call {
            client: &self.info,
            stream: self.told.as_ref().map(Told::subject),
            event: wish.event(self.began.as_millis() as u32),
        };
        let session = self.id.0 as usize;
        let asked = notify.call(shared, call, move |worker, id, reply| {
            worker.run(session, |peer, shared| peer.on_reply(id, reply, shared));
        });
        match asked {
            Some(call) => {
                self.asked = Some(Asked { call, wish });
                Ok(())
            }
            None => self.fulfil(wish, None, shared),
        }
    }

    /// Does what nobody objects to. The stream may also go to another server, or come from there.
    fn fulfil(
        &mut self,
        wish: Wish,
        relay: Option<Arc<Target>>,
        shared: &mut Shared,
    ) -> Result<(), rtmp::Error> {
        match wish {
            Wish::Connect(connect) => self.enter(&connect),
            Wish::Publish(publish) => self.begin_publish(*publish, relay, shared),
            Wish::Play(play) => self.begin_play(*play, relay, shared),
        }
    }

    /// Does it, and relays the stream to or from `url`; or sends the client there.
    fn relay(&mut self, mut wish: Wish, url: &str, shared: &mut Shared) -> Result<(), rtmp::Error> {
        if self.notify().sends_redirects {
            self.told = None;
            self.connection.log(Level::Info, format_args!("sent to another server"));
            self.session.redirect(url);
            return Ok(());
        }
        let direction = match wish {
            Wish::Connect(_) => return self.fulfil(wish, None, shared),
            Wish::Publish(_) => Direction::Push,
            Wish::Play(_) => Direction::Pull,
        };
        let Some(target) = self.notify().target(direction, url) else {
            let text = "refused: the callback's Location is no URL that can be relayed";
            self.connection.log(Level::Error, format_args!("{text}"));
            self.refuse(&wish, PublishRefusal::Failed, PlayRefusal::Failed);
            return Ok(());
        };
        self.connection.log(Level::Info, format_args!("redirected by the callback to {target}"));
        if self.notify().renames_redirected {
            wish.rename(relay_name(url), None);
        }
        self.fulfil(wish, Some(target), shared)
    }

    /// The answer to what was asked, unless the session has done with it.
    fn on_reply(
        &mut self,
        call: CallId,
        reply: Result<Head, NoReply>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        let Some(Asked { mut wish, .. }) = self.asked.take_if(|asked| asked.call == call) else {
            return Ok(());
        };
        let verdict = match reply {
            Ok(head) => Verdict::of(&head),
            Err(error) => {
                self.connection.log(Level::Error, format_args!("refused: {error}"));
                self.told = None;
                self.refuse(&wish, PublishRefusal::Failed, PlayRefusal::Failed);
                return self.go_on(Ok(()), shared);
            }
        };
        let done = match verdict {
            Verdict::Allow => self.fulfil(wish, None, shared),
            Verdict::Rename { name, args } => {
                self.connection.log(Level::Info, format_args!("renamed by the callback"));
                wish.rename(name, args);
                self.fulfil(wish, None, shared)
            }
            Verdict::Redirect(url) => self.relay(wish, &url, shared),
            Verdict::Deny(denial) => {
                self.connection.log(Level::Error, format_args!("refused: {denial}"));
                self.told = None;
                self.refuse(&wish, PublishRefusal::Denied, PlayRefusal::Denied);
                Ok(())
            }
        };
        self.go_on(done, shared)
    }

    fn refuse(&mut self, wish: &Wish, publish: PublishRefusal, play: PlayRefusal) {
        match wish {
            Wish::Connect(_) => self.session.reject_connect("Connection refused."),
            Wish::Publish(_) => self.session.reject_publish(publish),
            Wish::Play(_) => self.session.reject_play(play),
        }
    }

    /// Settles what was done, and reads on.
    pub(super) fn go_on(
        &mut self,
        done: Result<(), rtmp::Error>,
        shared: &mut Shared,
    ) -> Result<(), End> {
        self.settle(done, shared)?;
        if self.connection.is_readable() {
            return self.on_readable(shared);
        }
        Ok(())
    }

    /// Gives up what was asked, if anything.
    pub(super) fn stop_asking(&mut self, shared: &mut Shared) {
        if let Some(asked) = self.asked.take() {
            shared.cancel_call(asked.call);
        }
    }
}
