//! Publishers that send nothing.

use std::time::Duration;

use crate::rtmp::MessageType;
use crate::time::Instant;

/// How long a publisher may send nothing; zero for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleLimits {
    /// Neither audio nor video nor data, from its acceptance on: the directive `idle_timeout`.
    pub idle_timeout: Duration,
    /// Neither audio nor video, once it sent some: the directive `drop_idle_publisher`.
    pub drop_idle_publisher: Duration,
}

/// A publisher has sent nothing for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Idle {
    /// See [`IdleLimits::idle_timeout`].
    #[error("publisher sent nothing within idle_timeout {0:?}")]
    Nothing(Duration),
    /// See [`IdleLimits::drop_idle_publisher`].
    #[error("publisher sent no audio or video within drop_idle_publisher {0:?}")]
    NoMedia(Duration),
}

/// Watches one publisher. A message costs it no timer: the [`deadline`](Self::deadline) just moves.
#[derive(Debug)]
pub struct IdleWatch {
    limits: IdleLimits,
    /// When anything came, at first the acceptance.
    heard: Instant,
    /// When audio or video came.
    media: Option<Instant>,
}

impl IdleWatch {
    /// For a publisher that is accepted now.
    pub fn new(limits: IdleLimits, now: Instant) -> Self {
        Self { limits, heard: now, media: None }
    }

    /// A message of the publisher's came.
    pub fn hear(&mut self, kind: MessageType, now: Instant) {
        self.heard = now;
        if matches!(kind, MessageType::Audio | MessageType::Video) {
            self.media = Some(now);
        }
    }

    /// By when something has to come; `None` if there is no limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines().map(|(at, _)| at).min()
    }

    /// Whether the deadline has not passed.
    ///
    /// # Errors
    ///
    /// It has.
    pub fn check(&self, now: Instant) -> Result<(), Idle> {
        match self.deadlines().find(|(at, _)| now >= *at) {
            Some((_, idle)) => Err(idle),
            None => Ok(()),
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = (Instant, Idle)> {
        let IdleLimits { idle_timeout, drop_idle_publisher } = self.limits;
        let nothing = (Some(self.heard), idle_timeout, Idle::Nothing(idle_timeout));
        let no_media = (self.media, drop_idle_publisher, Idle::NoMedia(drop_idle_publisher));
        [nothing, no_media].into_iter().filter_map(|(since, limit, idle)| {
            let since = since.filter(|_| !limit.is_zero())?;
            Some((since + limit, idle))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn idle_timeout_counts_from_the_acceptance_and_from_any_message() {
        let idle_timeout = Duration::from_secs(5);
        let limits = IdleLimits { idle_timeout, ..IdleLimits::default() };
        let mut watch = IdleWatch::new(limits, at(10));
        assert_eq!(watch.deadline(), Some(at(15)));
        assert_eq!(watch.check(at(14)), Ok(()));
        assert_eq!(watch.check(at(15)), Err(Idle::Nothing(idle_timeout)));
        watch.hear(MessageType::DataAmf0, at(12));
        assert_eq!(watch.deadline(), Some(at(17)));
    }

    #[test]
    fn drop_idle_publisher_counts_from_audio_and_video() {
        let drop_idle_publisher = Duration::from_secs(5);
        let limits = IdleLimits { drop_idle_publisher, ..IdleLimits::default() };
        let mut watch = IdleWatch::new(limits, at(10));
        watch.hear(MessageType::DataAmf0, at(11));
        assert_eq!((watch.deadline(), watch.check(at(1000))), (None, Ok(())));
        watch.hear(MessageType::Audio, at(12));
        watch.hear(MessageType::DataAmf0, at(13));
        assert_eq!(watch.deadline(), Some(at(17)));
        watch.hear(MessageType::Video, at(14));
        assert_eq!(watch.check(at(19)), Err(Idle::NoMedia(drop_idle_publisher)));
    }

    #[test]
    fn the_nearer_deadline_counts() {
        let limits = IdleLimits {
            idle_timeout: Duration::from_secs(9),
            drop_idle_publisher: Duration::from_secs(5),
        };
        let mut watch = IdleWatch::new(limits, at(0));
        assert_eq!(watch.deadline(), Some(at(9)));
        watch.hear(MessageType::Video, at(1));
        assert_eq!(watch.deadline(), Some(at(6)));
        watch.hear(MessageType::DataAmf0, at(5));
        assert_eq!((watch.deadline(), watch.check(at(5))), (Some(at(6)), Ok(())));
    }
}
