//! What logs say of the names of streams and of queries, which are often what lets somebody publish.

use std::borrow::Cow;

use crate::client::ClientInfo;

/// How many characters of a name are told, so that an operator who knows it finds it.
const SHOWN: usize = 4;

/// What stands for what is not told.
const MASK: &str = "***";

/// The directive `log_mask_key`: whether logs keep names and the values of queries to themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogMask(pub bool);

impl LogMask {
    /// A stream's name: the first four characters, or half of a shorter one, and `***`.
    pub fn name(self, name: &str) -> Cow<'_, str> {
        if !self.0 || name.is_empty() {
            return name.into();
        }
        let shown = name.chars().take(SHOWN.min(name.chars().count() / 2));
        shown.chain(MASK.chars()).collect::<String>().into()
    }

    /// A query, with `***` for each value, and for what has no name.
    pub fn query(self, query: &str) -> Cow<'_, str> {
        if !self.0 || query.is_empty() {
            return query.into();
        }
        let mask = |pair: &str| match pair.split_once('=') {
            Some((name, _)) => format!("{name}={MASK}"),
            None => MASK.to_owned(),
        };
        query.split('&').map(mask).collect::<Vec<_>>().join("&").into()
    }

    /// An URL, with what comes behind a `?` or `#` as a query.
    pub fn url(self, url: &str) -> Cow<'_, str> {
        match url.find(['?', '#']) {
            Some(end) if self.0 => {
                format!("{}{}", &url[..=end], self.query(&url[end + 1..])).into()
            }
            _ => url.into(),
        }
    }

    /// A text, with the stream's name in it as [`name`](Self::name) tells it.
    pub fn text<'a>(self, text: &'a str, name: &str) -> Cow<'a, str> {
        match self.0 && !name.is_empty() {
            true => text.replace(name, &self.name(name)).into(),
            false => text.into(),
        }
    }

    /// What a client has said of itself.
    pub fn client(self, client: &ClientInfo) -> Cow<'_, ClientInfo> {
        if !self.0 {
            return Cow::Borrowed(client);
        }
        Cow::Owned(ClientInfo {
            app_args: self.query(&client.app_args).into_owned(),
            swf_url: self.url(&client.swf_url).into_owned(),
            tc_url: self.url(&client.tc_url).into_owned(),
            page_url: self.url(&client.page_url).into_owned(),
            ..client.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: LogMask = LogMask(true);

    #[test]
    fn names_are_told_as_far_as_they_tell_nothing() {
        for (name, told) in [
            ("", ""),
            ("a", "***"),
            ("cam", "c***"),
            ("live_1234_secret", "live***"),
            ("ééééé", "éé***"),
        ] {
            assert_eq!(ON.name(name), told);
            assert_eq!(LogMask(false).name(name), name);
        }
    }

    #[test]
    fn queries_keep_their_values() {
        for (query, told) in [
            ("", ""),
            ("st=secret&e=5", "st=***&e=***"),
            ("secret", "***"),
            ("a=b=c&&d=", "a=***&***&d=***"),
        ] {
            assert_eq!(ON.query(query), told);
            assert_eq!(LogMask(false).query(query), query);
        }
        for (url, told) in [
            ("rtmp://h/app", "rtmp://h/app"),
            ("rtmp://h/app?k=1#x", "rtmp://h/app?k=***"),
            ("http://h/#token=1&b", "http://h/#token=***&***"),
            ("?", "?"),
        ] {
            assert_eq!(ON.url(url), told);
            assert_eq!(LogMask(false).url(url), url);
        }
    }

    #[test]
    fn names_in_texts_are_found() {
        assert_eq!(ON.text("/rec/live_1234.flv", "live_1234"), "/rec/live***.flv");
        assert_eq!(ON.text("/rec/other.flv", ""), "/rec/other.flv");
        assert_eq!(LogMask(false).text("/rec/a", "a"), "/rec/a");
    }

    #[test]
    fn clients_keep_what_their_addresses_have_in_them() {
        let client = ClientInfo {
            app: "live".into(),
            app_args: "k=1".into(),
            tc_url: "rtmp://h/live?k=1".into(),
            page_url: "http://h/?k=1".into(),
            swf_url: "http://h/a.swf?k=1".into(),
            ..ClientInfo::default()
        };
        let told = ON.client(&client);
        assert_eq!((told.app.as_str(), told.app_args.as_str()), ("live", "k=***"));
        assert_eq!(told.tc_url, "rtmp://h/live?k=***");
        assert_eq!(told.page_url, "http://h/?k=***");
        assert_eq!(told.swf_url, "http://h/a.swf?k=***");
        assert_eq!(LogMask(false).client(&client).as_ref(), &client);
    }
}
