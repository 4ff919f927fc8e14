use super::*;

const ALL: Shown = Shown { global: true, live: true, clients: true, play: true };

fn client(id: u64) -> ClientReport {
    ClientReport { id, address: "127.0.0.1".into(), ..ClientReport::default() }
}

fn stream(publishing: bool, clients: &[u64]) -> StreamReport {
    let (bytes_in, bw_in) = if publishing { (100, 80) } else { (3, 4) };
    StreamReport {
        application: 7,
        application_name: "live".into(),
        name: "cam".into(),
        publishing,
        traffic: Traffic { bytes_in, bw_in, bytes_out: 10, bw_out: 8 },
        media: Some(MediaFacts::default()),
        clients: clients.iter().copied().map(client).collect(),
        ..StreamReport::default()
    }
}

fn report(stream: StreamReport) -> Report {
    let workers = vec![WorkerReport::default()];
    Report { workers, accepted: 5, streams: vec![stream], ..Report::default() }
}

fn document(report: Report) -> Document {
    let application =
        Application { id: ApplicationId(7), name: "live".into(), live: true, play: false };
    Document { servers: vec![vec![application]], report, shown: ALL, ..Document::default() }
}

/// The names of the elements, in order; those that end one, with a slash.
fn elements(xml: &str) -> String {
    let names = xml.split('<').skip(1).filter_map(|rest| rest.split(['>', ' ']).next());
    names.filter(|name| !name.starts_with(['?', '/'])).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_comes_is_told_by_the_publishers_worker_whoever_tells_first() {
    for publisher_first in [true, false] {
        let (one, other) = (report(stream(publisher_first, &[1])), stream(!publisher_first, &[2]));
        let merged = Report::merge([one, report(other)]);
        assert_eq!((merged.workers.len(), merged.accepted, merged.streams.len()), (2, 10, 1));
        let traffic = Traffic { bytes_in: 100, bw_in: 80, bytes_out: 20, bw_out: 16 };
        assert_eq!(merged.streams[0].traffic, traffic);
        assert!(merged.streams[0].publishing);
        assert_eq!(merged.streams[0].clients.len(), 2);
    }
}

#[test]
fn the_xml_has_the_elements_of_the_c_module_in_their_order() {
    let mut published = stream(true, &[1]);
    let publisher = &mut published.clients[0];
    (publisher.flash_ver, publisher.page_url, publisher.swf_url) =
        ("a".into(), "b".into(), "c".into());
    (publisher.publishing, publisher.active) = (true, true);
    let media = published.media.as_mut().unwrap();
    (media.video.codec, media.video.profile) = (Some("H264".into()), Some("High".into()));
    (media.video.compat, media.video.level) = (Some(0), Some("4.0".into()));
    (media.audio.codec, media.audio.profile) = (Some("AAC".into()), Some("LC".into()));
    (media.audio.channels, media.audio.sample_rate) = (2, 44_100);
    assert_eq!(
        elements(&document(report(published)).to_xml()),
        "rtmp nginx_version nginx_rtmp_version compiler built pid uptime naccepted bw_in bytes_in \
         bw_out bytes_out nworkers npublishes nplays messages frames_sent frames_skipped \
         storage_queue storage_tasks storage_errors worker process running connections streams \
         publishers players server application name live stream name time bw_in bytes_in \
         bw_out bytes_out bw_audio bw_video client id address time flashver pageurl swfurl dropped \
         avsync timestamp publishing/ active/ bytes_in bytes_out protocol outbox meta video width height frame_rate \
         codec profile compat level audio codec profile channels sample_rate nclients hls_viewers publishing/ \
         active/ fps frames skipped nclients"
    );
}

#[test]
fn names_cannot_forge_elements() {
    let mut forged = stream(true, &[]);
    forged.name = "<a>&\"\u{1}".into();
    let xml = document(report(forged)).to_xml();
    assert!(xml.contains("<name>&lt;a&gt;&amp;&quot;\u{fffd}</name>"), "{xml}");
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let mut document = document(report(stream(true, &[1])));
    document.shown = Shown { live: true, ..Shown::default() };
    document.stylesheet = Some("/stat.xsl?a&b".into());
    let xml = document.to_xml();
    assert!(xml.contains("href=\"/stat.xsl?a&amp;b\" ?>"), "{xml}");
    assert!(!xml.contains("<pid>") && !xml.contains("<client>"), "{xml}");
    assert!(xml.contains("<nclients>1</nclients>"), "{xml}");
}

#[test]
fn what_an_older_configuration_has_is_shown_in_a_server_of_its_own() {
    let mut document = document(report(stream(true, &[1])));
    document.servers.clear();
    assert!(elements(&document.to_xml()).contains("server application name live stream"));
}

#[test]
fn json_tells_the_same() {
    let json = document(report(stream(true, &[1]))).to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["accepted"], 5);
    let stream = &value["servers"][0]["applications"][0]["live"][0];
    assert_eq!((&stream["name"], &stream["bytes_in"]), (&"cam".into(), &100.into()));
    assert_eq!(stream["clients"][0]["address"], "127.0.0.1");
}

#[test]
fn a_report_survives_the_way_to_another_worker() {
    let report = report(stream(true, &[1]));
    let bytes = serde_json::to_vec(&report).unwrap();
    assert_eq!(serde_json::from_slice::<Report>(&bytes).unwrap(), report);
}
