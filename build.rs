//! Tells the glue which features the nginx it is built against has.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(ngx_feature, values(\"pcre\", \"ssl\", \"threads\"))");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_FEATURES");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rustc-env=NGX_RTMP_BUILT={}", built());
    // Set by nginx-sys; absent without the feature `nginx`.
    let features = std::env::var("DEP_NGINX_FEATURES").unwrap_or_default();
    for known in ["pcre", "ssl", "threads"] {
        if features.split(',').any(|feature| feature == known) {
            println!("cargo::rustc-cfg=ngx_feature=\"{known}\"");
        }
    }
}

/// The day of the build, as `2026-01-31`; that of `SOURCE_DATE_EPOCH` if that is set
/// (reproducible-builds.org).
fn built() -> String {
    let set = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let days = i64::try_from(set.unwrap_or_else(now) / 86_400).unwrap_or(0);
    // Howard Hinnant's civil_from_days, for days after 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}
