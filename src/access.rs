//! Who may publish and play, by address: the directives `allow` and `deny`; and by token.

pub mod token;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a session wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a stream.
    Publish,
    /// Get a stream.
    Play,
}

/// The rules of an application, in the order in which they are tried: the first one that is about
/// an action and an address decides. What no rule is about is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// One `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whether what the rule is about is allowed.
    pub allows: bool,
    /// What it is about; `None` for every action.
    pub action: Option<Action>,
    /// Whom it is about.
    pub clients: Clients,
}

/// Whom a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Everybody.
    All,
    /// Those of unix sockets.
    Unix,
    /// Those of a network.
    Network(Network),
}

/// The addresses that have a prefix of bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// In bits.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be an address, ADDRESS/BITS, \"unix:\" or \"all\"")]
pub struct NotANetwork;

impl Rules {
    /// Adds a rule after those that there are.
    pub fn push(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    /// Adds the rules of the enclosing block, which are tried after the block's own.
    pub fn inherit(&mut self, parent: &Self) {
        self.0.extend_from_slice(&parent.0);
    }

    /// Whether a client may do `action`. `client` is its address, `None` for a unix socket.
    pub fn allow(&self, action: Action, client: Option<IpAddr>) -> bool {
        // An IPv4 client of an IPv6 socket.
        let client = client.map(|address| address.to_canonical());
        let decides = |rule: &&Rule| {
            rule.action.is_none_or(|about| about == action) && rule.clients.include(client)
        };
        self.0.iter().find(decides).is_none_or(|rule| rule.allows)
    }
}

impl Clients {
    /// The clients that `text` stands for, and whether it names an address within the network
    /// instead of the network's own.
    ///
    /// # Errors
    ///
    /// The text is none of what [`NotANetwork`] lists.
    pub fn parse(text: &str) -> Result<(Self, bool), NotANetwork> {
        match text {
            "all" => Ok((Self::All, false)),
            "unix:" => Ok((Self::Unix, false)),
            _ => {
                let (network, has_host) = Network::parse(text)?;
                Ok((Self::Network(network), has_host))
            }
        }
    }

    fn include(self, client: Option<IpAddr>) -> bool {
        match self {
            Self::All => true,
            Self::Unix => client.is_none(),
            Self::Network(network) => client.is_some_and(|client| network.contains(client)),
        }
    }
}

impl Network {
    fn parse(text: &str) -> Result<(Self, bool), NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(bits) => bits.parse().ok().filter(|&n| n <= longest).ok_or(NotANetwork)?,
            None => longest,
        };
        let network = Self { address: mask(address, prefix), prefix };
        Ok((network, network.address != address))
    }

    fn contains(self, client: IpAddr) -> bool {
        client.is_ipv4() == self.address.is_ipv4() && mask(client, self.prefix) == self.address
    }
}

/// The first `prefix` bits of an address.
fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let bits = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & bits).into()
        }
        IpAddr::V6(address) => {
            let bits = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & bits).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `allow` and `deny` lines, as in a configuration.
    fn rules(lines: &[&str]) -> Rules {
        let mut rules = Rules::default();
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            let action = match words[1] {
                "publish" => Some(Action::Publish),
                "play" => Some(Action::Play),
                _ => None,
            };
            let clients = Clients::parse(words[words.len() - 1]).unwrap().0;
            rules.push(Rule { allows: words[0] == "allow", action, clients });
        }
        rules
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn what_no_rule_is_about_is_allowed() {
        assert!(Rules::default().allow(Action::Publish, ip("10.0.0.1")));
        assert!(rules(&["deny publish all"]).allow(Action::Play, None));
    }

    #[test]
    fn the_first_rule_decides() {
        let rules = rules(&["allow publish 127.0.0.1", "deny publish all", "deny play 10.0.0.0/8"]);
        assert!(rules.allow(Action::Publish, ip("127.0.0.1")));
        assert!(!rules.allow(Action::Publish, ip("127.0.0.2")));
        assert!(!rules.allow(Action::Publish, None));
        assert!(!rules.allow(Action::Play, ip("10.200.3.4")));
        assert!(rules.allow(Action::Play, ip("11.0.0.1")));
    }

    #[test]
    fn an_inner_block_comes_before_the_outer_one() {
        let mut inner = rules(&["allow 10.0.0.1"]);
        inner.inherit(&rules(&["deny all"]));
        assert!(inner.allow(Action::Play, ip("10.0.0.1")));
        assert!(!inner.allow(Action::Play, ip("10.0.0.2")));
    }

    #[test]
    fn families_are_told_apart_but_mapped_addresses_are_not() {
        let rules = rules(&["deny 10.0.0.0/8", "deny fe80::/10", "deny unix:"]);
        assert!(!rules.allow(Action::Play, ip("::ffff:10.1.1.1")));
        assert!(!rules.allow(Action::Play, ip("febf::1")));
        assert!(!rules.allow(Action::Play, None));
        assert!(rules.allow(Action::Play, ip("fec0::1")));
        assert!(rules.allow(Action::Play, ip("a00::")));
    }

    #[test]
    fn networks_of_every_length() {
        for (text, inside, outside) in [
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("128.0.0.0/1", "255.1.2.3", "127.255.255.255"),
            ("192.168.1.0/31", "192.168.1.1", "192.168.1.2"),
            ("192.168.1.9", "192.168.1.9", "192.168.1.8"),
            ("::/0", "ff::1", "1.2.3.4"),
            ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
        ] {
            let rules = rules(&[&format!("deny {text}")]);
            assert!(!rules.allow(Action::Play, ip(inside)), "{text}");
            assert!(rules.allow(Action::Play, ip(outside)), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "any", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "::/129", "10.0.0.0/-1", "a/8"]
        {
            assert_eq!(Clients::parse(text), Err(NotANetwork), "{text}");
        }
        assert!(Clients::parse("10.0.0.1/8").unwrap().1, "bits of the host");
        assert!(!Clients::parse("10.0.0.0/8").unwrap().1);
    }
}
