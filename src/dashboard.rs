//! The operator's page: the files of `src/dashboard/`, which are part of the module.
//!
//! They are what browsers run as it is. The page knows the server by the API below its own address, and
//! loads nothing from anywhere else, which its [policy](POLICY) has the browser enforce.

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name, below the page's own address; the page itself has none.
    pub name: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The value of `ETag`: another one for other contents.
    pub etag: &'static str,
    /// The contents.
    pub body: &'static str,
}

/// The value of `Content-Security-Policy` (CSP Level 3): scripts, styles and pictures are the page's own
/// files, what is asked and played comes from where the page does, and no text can become markup.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $file:literal, $content_type:expr) => {{
        const BODY: &str = include_str!(concat!("dashboard/", $file));
        const ETAG: [u8; 18] = etag(BODY.as_bytes());
        let Ok(etag) = std::str::from_utf8(&ETAG) else { unreachable!() };
        Asset { name: $name, content_type: $content_type, etag, body: BODY }
    }};
    ($file:literal, $content_type:expr) => {
        asset!($file, $file, $content_type)
    };
}

static ASSETS: &[Asset] = &[
    asset!("", "index.html", HTML),
    asset!("dashboard.css", CSS),
    asset!("icon.svg", SVG),
    asset!("main.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("data.js", SCRIPT),
    asset!("describe.js", SCRIPT),
    asset!("detail.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("empty.js", SCRIPT),
    asset!("facts.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("health.js", SCRIPT),
    asset!("list.js", SCRIPT),
    asset!("preview.js", SCRIPT),
    asset!("question.js", SCRIPT),
    asset!("streams.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("totals.js", SCRIPT),
];

/// The file of this name, below the page's own address.
pub fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// A hash of the contents (FNV-1a) in quotes.
const fn etag(contents: &[u8]) -> [u8; 18] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < contents.len() {
        hash = (hash ^ contents[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    let mut etag = [b'"'; 18];
    let mut digit = 0;
    while digit < 16 {
        etag[digit + 1] = b"0123456789abcdef"[(hash >> (60 - 4 * digit)) as usize & 15];
        digit += 1;
    }
    etag
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What `text` has between `before` and the next quotation mark.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_that_the_page_loads_is_there_and_none_besides() {
        let page = asset("").expect("the page");
        let mut wanted: Vec<_> =
            quoted(page.body, "href=\"").chain(quoted(page.body, " src=\"")).collect();
        for script in ASSETS.iter().filter(|asset| asset.content_type == SCRIPT) {
            wanted.extend(quoted(script.body, "from \"./"));
        }
        let wanted: HashSet<_> = wanted.into_iter().collect();
        let there: HashSet<_> = ASSETS[1..].iter().map(|asset| asset.name).collect();
        assert_eq!(wanted, there);
        assert_eq!(asset("index.html"), None);
        assert_eq!(asset("../dashboard.rs"), None);
    }

    #[test]
    fn other_contents_have_another_etag() {
        // The test values of FNV-1a's authors.
        assert_eq!(&etag(b""), b"\"cbf29ce484222325\"");
        assert_eq!(&etag(b"foobar"), b"\"85944171f73967e8\"");
        let etags: HashSet<_> = ASSETS.iter().map(|asset| asset.etag).collect();
        assert_eq!(etags.len(), ASSETS.len());
    }

    #[test]
    fn no_text_can_become_markup_and_nothing_is_inline() {
        for asset in ASSETS {
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!asset.body.contains(forbidden), "{}: {forbidden}", asset.name);
            }
        }
        let page = asset("").expect("the page").body;
        assert!(
            !page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick")
        );
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src").count()
        );
    }
}
