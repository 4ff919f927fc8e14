//! Which stream a URL is about.

/// The stream at `path`, `.../preview/APPLICATION/STREAM.mp4`: its name, and which of `applications` it
/// is of. Names may have slashes in them.
pub fn stream_of<'a>(
    path: &'a str,
    applications: impl IntoIterator<Item = &'a str>,
) -> Option<(usize, &'a str)> {
    let (_, stream) = path.split_once("/preview/")?;
    let stream = stream.strip_suffix(".mp4")?;
    let name_in = |application: &str| stream.strip_prefix(application)?.strip_prefix('/');
    let named = applications.into_iter().enumerate();
    let matching = named.filter_map(|(index, it)| Some((index, it.len(), name_in(it)?)));
    let (index, _, name) = matching.max_by_key(|(_, length, _)| *length)?;
    (!name.is_empty()).then_some((index, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_streams() {
        let applications = ["live", "live/hd", "a b"];
        for (path, stream) in [
            ("/dashboard/preview/live/cam.mp4", Some((0, "cam"))),
            ("/preview/a b/cam/1.mp4.mp4", Some((2, "cam/1.mp4"))),
            ("/preview/live/hd/cam.mp4", Some((1, "cam"))),
            ("/preview/live/preview/cam.mp4", Some((0, "preview/cam"))),
            ("/preview/liver/cam.mp4", None),
            ("/preview/live/.mp4", None),
            ("/preview/live.mp4", None),
            ("/preview/live/cam", None),
            ("/review/live/cam.mp4", None),
        ] {
            assert_eq!(stream_of(path, applications), stream, "{path}");
        }
    }
}
