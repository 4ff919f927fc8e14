//! `log_mask_key`: what may let somebody publish is in no log.

use std::fs;

use crate::support::nginx::{Conf, Nginx};
use crate::support::raw::{Peer, VIDEO, connect_to};
use crate::support::wait_for;

/// Publishes and plays with a name and arguments that are secret, and gives both logs, once there are the
/// lines of all that.
fn logs(mask: &str) -> (String, String) {
    let nginx = Nginx::start_conf(&Conf {
        rtmp: format!(
            "{mask} log_format all '$command $name $args $arg_k $uri $request_uri $tcurl';
            access_log logs/rtmp.log all;"
        ),
        ..Conf::server(
            "application live {
                live on; record all; record_path @prefix@/recorded;
                push rtmp://127.0.0.1:1/up/remotesecret; }",
        )
    });
    let port = nginx.rtmp_port();
    let mut publisher = Peer::connect(port);
    publisher.enter_by(&connect_to("rtmp://h/live?k=urlsecret", "live"));
    publisher.ask_publish("live_namesecret?k=argsecret");
    publisher.wait_for("NetStream.Publish.Start");
    publisher.send(6, VIDEO, 1, 0, &[0x17, 1, 0, 0, 0, 9]);
    nginx.wait_log(&["push of stream", "application: \"live\", to rtmp://127.0.0.1:1"]);
    drop(Peer::play(port, "live", "live_namesecret"));
    drop(publisher);
    nginx.wait_log(&["recorded", "/recorded/live"]);
    let path = nginx.prefix().join("logs/rtmp.log");
    let access = wait_for("two lines", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        (text.lines().count() == 2).then_some(text)
    });
    (nginx.log(), access)
}

#[test]
fn names_and_arguments_are_masked() {
    let (errors, access) = logs("log_mask_key on;");
    for log in [&errors, &access] {
        assert!(!log.contains("secret"), "{log}");
    }
    for text in ["stream: \"live***\"", "push of stream \"live***\"", "of \"live***\""] {
        assert!(errors.contains(text), "{text}: {errors}");
    }
    let line = "PUBLISH live*** k=*** *** /live/live*** /live/live***?k=*** rtmp://h/live?k=***\n";
    assert!(access.contains(line), "{access}");
}

#[test]
fn without_it_only_what_other_servers_know_is() {
    let (errors, access) = logs("");
    assert!(errors.contains("stream: \"live_namesecret\""), "{errors}");
    assert!(access.contains("PUBLISH live_namesecret k=argsecret argsecret"), "{access}");
    assert!(!errors.contains("remotesecret"), "{errors}");
}
