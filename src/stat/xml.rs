//! The C module's XML, element for element: scrapers and style sheets that read that read this.
//! What the C module does not tell is in elements of other names.

mod extra;

use std::fmt::{self, Display};

use super::{Application, ClientReport, Document, FileReport, MediaFacts, StreamReport, Traffic};

impl Document {
    /// The document as XML.
    pub fn to_xml(&self) -> String {
        let mut xml = Xml::default();
        xml.line("<?xml version=\"1.0\" encoding=\"utf-8\" ?>");
        if let Some(href) = &self.stylesheet {
            let href = Escaped(href);
            xml.line(format_args!("<?xml-stylesheet type=\"text/xsl\" href=\"{href}\" ?>"));
        }
        xml.line("<rtmp>");
        if self.shown.global {
            self.write_global(&mut xml);
        }
        for server in self.all_servers() {
            xml.line("<server>");
            for application in &server {
                self.write_application(application, &mut xml);
            }
            xml.line("</server>");
        }
        xml.line("</rtmp>");
        xml.0
    }

    fn write_global(&self, xml: &mut Xml) {
        let process = &self.process;
        xml.text("nginx_version", &process.nginx_version);
        xml.text("nginx_rtmp_version", &process.nginx_rtmp_version);
        xml.text("compiler", &process.compiler);
        xml.text("built", &process.built);
        xml.text("pid", process.pid);
        xml.text("uptime", process.uptime);
        xml.text("naccepted", self.report.accepted);
        xml.traffic(&self.report.traffic);
        xml.text("nworkers", self.report.workers.len());
        xml.totals(&self.report.totals(), &self.report.storage());
        self.report.workers.iter().for_each(|worker| xml.worker(worker));
        self.report.relays.iter().for_each(|relay| xml.relay(relay));
        self.report.children.iter().for_each(|child| xml.child(child));
    }

    fn write_application(&self, application: &Application, xml: &mut Xml) {
        xml.line("<application>");
        xml.text("name", &application.name);
        if self.shown.live && application.live {
            xml.line("<live>");
            let mut clients = 0;
            for stream in self.streams_of(application) {
                clients += stream.clients.len();
                self.write_stream(stream, xml);
            }
            xml.text("nclients", clients);
            xml.line("</live>");
        }
        if self.shown.play && application.play {
            xml.line("<play>");
            let mut clients = 0;
            for file in self.files_of(application) {
                clients += file.clients.len();
                self.write_file(file, xml);
            }
            xml.text("nclients", clients);
            xml.line("</play>");
        }
        xml.line("</application>");
    }

    fn write_stream(&self, stream: &StreamReport, xml: &mut Xml) {
        xml.line("<stream>");
        xml.text("name", &stream.name);
        xml.text("time", stream.time);
        xml.traffic(&stream.traffic);
        xml.text("bw_audio", stream.bw_audio);
        xml.text("bw_video", stream.bw_video);
        if self.shown.clients {
            stream.clients.iter().for_each(|client| write_client(client, xml));
        }
        if let Some(media) = &stream.media {
            write_media(media, xml);
        }
        xml.text("nclients", stream.clients.len());
        xml.text("hls_viewers", stream.hls_viewers);
        if stream.publishing {
            xml.line("<publishing/>");
            xml.line("<active/>");
        }
        xml.stream_extra(stream);
        xml.line("</stream>");
    }

    fn write_file(&self, file: &FileReport, xml: &mut Xml) {
        xml.line("<stream>");
        xml.text("name", &file.name);
        if self.shown.clients {
            for client in &file.clients {
                xml.0 += "<client>";
                write_who(client, xml);
                xml.text("timestamp", client.timestamp);
                xml.line("</client>");
            }
        }
        xml.line("<active/>");
        xml.text("nclients", file.clients.len());
        xml.line("</stream>");
    }
}

fn write_client(client: &ClientReport, xml: &mut Xml) {
    xml.0 += "<client>";
    write_who(client, xml);
    xml.text("dropped", client.dropped);
    xml.text("avsync", client.av_sync);
    xml.text("timestamp", client.timestamp);
    if client.publishing {
        xml.0 += "<publishing/>";
    }
    if client.active {
        xml.0 += "<active/>";
    }
    xml.text("bytes_in", client.bytes_in);
    xml.text("bytes_out", client.bytes_out);
    xml.client_extra(client);
    xml.line("</client>");
}

fn write_who(client: &ClientReport, xml: &mut Xml) {
    xml.text("id", client.id);
    xml.text("address", &client.address);
    xml.text("time", client.time);
    for (name, value) in [
        ("flashver", &client.flash_ver),
        ("pageurl", &client.page_url),
        ("swfurl", &client.swf_url),
    ] {
        if !value.is_empty() {
            xml.text(name, value);
        }
    }
}

fn write_media(media: &MediaFacts, xml: &mut Xml) {
    let MediaFacts { video, audio } = media;
    xml.line("<meta>");
    xml.0 += "<video>";
    xml.text("width", video.width);
    xml.text("height", video.height);
    xml.text("frame_rate", video.frame_rate.round());
    xml.optional("codec", video.codec.as_ref());
    xml.optional("profile", video.profile.as_ref());
    xml.optional("compat", video.compat);
    xml.optional("level", video.level.as_ref());
    xml.line("</video>");
    xml.0 += "<audio>";
    xml.optional("codec", audio.codec.as_ref());
    xml.optional("profile", audio.profile.as_ref());
    xml.optional("channels", Some(audio.channels).filter(|&channels| channels > 0));
    xml.optional("sample_rate", Some(audio.sample_rate).filter(|&rate| rate > 0));
    xml.line("</audio>");
    xml.line("</meta>");
}

/// Text that is being written.
#[derive(Default)]
struct Xml(String);

impl Xml {
    fn line(&mut self, text: impl Display) {
        self.0 += &format!("{text}\r\n");
    }

    fn text(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        self.line(format_args!("<{name}>{}</{name}>", Escaped(&value)));
    }

    fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn traffic(&mut self, traffic: &Traffic) {
        self.text("bw_in", traffic.bw_in);
        self.text("bytes_in", traffic.bytes_in);
        self.text("bw_out", traffic.bw_out);
        self.text("bytes_out", traffic.bytes_out);
    }
}

/// Text as XML has it, with a replacement for the characters that XML has not (XML 1.0, 2.2).
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;

        for character in self.0.chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => f.write_char(character)?,
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}
