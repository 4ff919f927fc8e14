//! A call as a form or as JSON.

use std::collections::BTreeSet;

use serde::Serializer;
use serde::ser::{Serialize, SerializeMap};

use super::call::{Call, Value};

impl Call<'_> {
    /// The call as a query or an `application/x-www-form-urlencoded` body. The query that the client
    /// has sent is appended as it is.
    pub(super) fn to_form(self) -> String {
        let mut form = String::with_capacity(512);
        for (name, value) in self.fields() {
            let and = if form.is_empty() { "" } else { "&" };
            form.extend([and, name, "="]);
            match value {
                Value::Text(text) => escape(text, &mut form),
                Value::Number(number) => form.push_str(&number.to_string()),
                Value::Time(time) => form.push_str(&(time as u32).to_string()),
                Value::Flag(flag) => form.push(if flag { '1' } else { '0' }),
            }
        }
        if !self.args().is_empty() {
            form.extend(["&", self.args()]);
        }
        form
    }

    /// The call as a JSON object of the same fields, each once, and the query as `args`.
    pub(super) fn to_json(self) -> Vec<u8> {
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut written = BTreeSet::new();
        let fields = self.fields().into_iter().chain([("args", Value::Text(self.args()))]);
        for (name, value) in fields {
            if written.insert(name) {
                match value {
                    Value::Text(text) => map.serialize_entry(name, text)?,
                    Value::Number(number) => map.serialize_entry(name, &number)?,
                    Value::Time(time) => map.serialize_entry(name, &time)?,
                    Value::Flag(flag) => map.serialize_entry(name, &flag)?,
                }
            }
        }
        map.end()
    }
}

/// Appends the text, escaped as nginx does for arguments (`NGX_ESCAPE_ARGS`).
fn escape(text: &str, escaped: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_graphic() && !b"\"#%&+;<>?\\^`{|}".contains(&byte);
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(HEX[usize::from(nibble)]);
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Subject, Updated};
    use super::*;
    use crate::client::ClientInfo;
    use crate::rtmp::command::PublishKind;

    fn client() -> ClientInfo {
        ClientInfo {
            app: "live".into(),
            app_args: "k=a b".into(),
            flash_ver: "FMLE/3.0 (compatible; x)".into(),
            swf_url: "".into(),
            tc_url: "rtmp://h:1935/live?k=1&l".into(),
            page_url: "http://p/é".into(),
            addr: "127.0.0.1".into(),
            id: 7,
        }
    }

    /// What every call but `connect` begins with.
    const PREFIX: &str = "app=live&flashver=FMLE/3.0%20(compatible%3B%20x)&swfurl=\
        &tcurl=rtmp://h:1935/live%3Fk=1%26l&pageurl=http://p/%C3%A9&addr=127.0.0.1&clientid=7&call=";

    fn form(stream: Option<(&str, &str)>, event: Event<'_>) -> String {
        let stream = stream.map(|(name, args)| Subject { name, args });
        Call { client: &client(), stream, event }.to_form()
    }

    #[test]
    fn forms_are_the_c_modules() {
        let connect = form(None, Event::Connect { epoch: 12 });
        let expected = PREFIX.replace("clientid=7", "epoch=12") + "connect&k=a b";
        assert_eq!(connect, expected);

        let cam = Some(("a b", "t=1&u=%20 "));
        let play = Event::Play { start: -2000, duration: -1000, reset: true };
        let (time, timestamp) = (30, 29_900);
        let updated = |what| Event::Update { what, time, timestamp };
        let (recorder, path) = ("rec1", "/tmp/a b-1.flv");
        for (stream, event, tail) in [
            (None, Event::Disconnect, "disconnect&app=live&k=a b"),
            (cam, Event::Publish(PublishKind::Live), "publish&name=a%20b&type=live&t=1&u=%20 "),
            (cam, play, "play&name=a%20b&start=4294965296&duration=4294966296&reset=1&t=1&u=%20 "),
            (cam, Event::PublishDone, "publish_done&name=a%20b&t=1&u=%20 "),
            (Some(("x", "")), Event::PlayDone, "play_done&name=x"),
            (Some(("x", "")), Event::Done, "done&name=x"),
            (
                Some(("x", "")),
                updated(Updated::Publish),
                "update_publish&time=30&timestamp=29900&name=x",
            ),
            (
                cam,
                updated(Updated::Play),
                "update_play&time=30&timestamp=29900&name=a%20b&t=1&u=%20 ",
            ),
            (
                cam,
                Event::RecordDone { recorder, path },
                "record_done&recorder=rec1&name=a%20b&path=/tmp/a%20b-1.flv&t=1&u=%20 ",
            ),
            (
                Some(("x", "")),
                Event::RecordStarted { recorder: "", path },
                "record_started&recorder=&name=x&path=/tmp/a%20b-1.flv",
            ),
            (
                Some(("x", "t=1")),
                Event::Playlist { module: "hls", path: "/h/x.m3u8" },
                "playlist&module=hls&name=x&path=/h/x.m3u8",
            ),
        ] {
            assert_eq!(form(stream, event), format!("{PREFIX}{tail}"));
        }
    }

    #[test]
    fn every_byte_is_escaped_as_by_nginx() {
        let mut escaped = String::new();
        let all: String = (0..128_u8).map(char::from).collect();
        escape(&all, &mut escaped);
        let controls: String = (0..32).map(|byte| format!("%{byte:02X}")).collect();
        let rest = "%20!%22%23$%25%26'()*%2B,-./0123456789:%3B%3C=%3E%3F@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\
                    %5C]%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F";
        assert_eq!(escaped, format!("{controls}{rest}"));
    }

    #[test]
    fn json_has_the_same_fields_once() {
        let json = |stream, event| {
            let call = Call { client: &client(), stream, event };
            String::from_utf8(call.to_json()).unwrap()
        };
        let prefix = r#"{"app":"live","flashver":"FMLE/3.0 (compatible; x)","swfurl":"","tcurl":"#
            .to_owned()
            + r#""rtmp://h:1935/live?k=1&l","pageurl":"http://p/é","addr":"127.0.0.1","clientid":7,"#;
        let play = Event::Play { start: -2000, duration: 5, reset: false };
        assert_eq!(
            json(Some(Subject { name: "a\"b", args: "x=\n" }), play),
            prefix.clone()
                + r#""call":"play","name":"a\"b","start":-2000,"duration":5,"reset":false,"args":"x=\n"}"#
        );
        assert_eq!(
            json(None, Event::Disconnect),
            prefix + r#""call":"disconnect","args":"k=a b"}"#
        );
    }
}
