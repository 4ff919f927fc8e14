//! What workers tell each other, over private sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, recvmsg, sendmsg_addr,
};

use crate::live::{ApplicationId, StreamKey};

/// The first byte of a datagram.
mod kind {
    pub(super) const PUBLISHED: u8 = 1;
    pub(super) const PULL: u8 = 3;
    pub(super) const INQUIRE: u8 = 4;
}

/// Longer than any datagram: a kind, an application, a name.
const MAX_LENGTH: usize = 1 + 8 + 256;

/// One worker to another.
#[derive(Debug)]
pub(super) enum Datagram {
    /// The sender has the stream now.
    Published(StreamKey),
    /// The sender wants the receiver's stream on this connection.
    Pull(StreamKey, OwnedFd),
    /// The sender's question is on this connection, and wants the answer there.
    Inquire(OwnedFd),
}

impl Datagram {
    fn parse(bytes: &[u8], descriptor: Option<OwnedFd>) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == kind::INQUIRE {
            return descriptor.map(Self::Inquire);
        }
        let (application, name) = rest.split_first_chunk()?;
        let application = ApplicationId(u64::from_be_bytes(*application));
        let key = StreamKey { application, name: std::str::from_utf8(name).ok()?.to_owned() };
        match (kind, descriptor) {
            (kind::PUBLISHED, None) => Some(Self::Published(key)),
            (kind::PULL, Some(descriptor)) => Some(Self::Pull(key, descriptor)),
            _ => None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (kind, key) = match self {
            Self::Published(key) => (kind::PUBLISHED, key),
            Self::Pull(key, _) => (kind::PULL, key),
            Self::Inquire(_) => return vec![kind::INQUIRE],
        };
        [&[kind][..], &key.application.0.to_be_bytes(), key.name.as_bytes()].concat()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pull(_, descriptor) | Self::Inquire(descriptor) => Some(descriptor.as_fd()),
            Self::Published(_) => None,
        }
    }
}

/// A worker's socket. Its path is in a directory that only nginx's user gets into.
pub(super) struct Socket(UnixDatagram);

impl Socket {
    /// # Errors
    ///
    /// The system's.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends to the socket at `path`; never waits.
    ///
    /// # Errors
    ///
    /// The receiver is gone, or has too much to read.
    pub(super) fn send(&self, path: &Path, datagram: &Datagram) -> io::Result<()> {
        let bytes = datagram.encode();
        let descriptor = datagram.descriptor();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptor) = &descriptor {
            control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(descriptor)));
        }
        let to = SocketAddrUnix::new(path)?;
        let bytes = [IoSlice::new(&bytes)];
        sendmsg_addr(&self.0, &to, &bytes, &mut control, SendFlags::DONTWAIT)?;
        Ok(())
    }

    /// The next datagram; what makes no sense is passed over. `None` if there is none now.
    pub(super) fn receive(&self) -> Option<Datagram> {
        loop {
            let mut bytes = [0; MAX_LENGTH];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg(&self.0, &mut slices, &mut control, flags).ok()?;
            let descriptor = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            let length = received.bytes.min(MAX_LENGTH);
            if let Some(datagram) = Datagram::parse(&bytes[..length], descriptor) {
                return Some(datagram);
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_arrive_as_they_were_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let receiver = Socket::bind(&path).unwrap();
        let sender = Socket::bind(&directory.path().join("b")).unwrap();
        let key = StreamKey { application: ApplicationId(3), name: "cam".to_owned() };
        assert!(receiver.receive().is_none());
        let (descriptor, _other) = UnixDatagram::pair().unwrap();
        for datagram in [Datagram::Published(key.clone()), Datagram::Pull(key, descriptor.into())] {
            sender.send(&path, &datagram).unwrap();
            let received = receiver.receive().expect("the datagram");
            assert_eq!(received.encode(), datagram.encode());
            assert_eq!(received.descriptor().is_some(), datagram.descriptor().is_some());
        }
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let receiver = Socket::bind(&path).unwrap();
        let stranger = UnixDatagram::unbound().unwrap();
        for bytes in [&b""[..], b"\x01", b"\x09aaaaaaaaname", b"\x01aaaaaaaa\xff", b"\x03aaaaaaaan"]
        {
            stranger.send_to(bytes, &path).unwrap();
        }
        stranger.send_to(b"\x01aaaaaaaan", &path).unwrap();
        assert!(matches!(receiver.receive(), Some(Datagram::Published(key)) if key.name == "n"));
        assert!(receiver.receive().is_none());
    }

    #[test]
    fn nobody_waits_for_a_receiver_that_does_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let _receiver = Socket::bind(&path).unwrap();
        let sender = Socket::bind(&directory.path().join("b")).unwrap();
        let key = StreamKey { application: ApplicationId(3), name: "cam".to_owned() };
        let datagram = Datagram::Published(key);
        assert!((0..100_000).any(|_| sender.send(&path, &datagram).is_err()));
    }
}
