//! Tells the glue which features the nginx it is built against has.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(ngx_feature, values(\"pcre\", \"ssl\", \"threads\"))");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_FEATURES");
    // Set by nginx-sys; absent without the feature `nginx`.
    let features = std::env::var("DEP_NGINX_FEATURES").unwrap_or_default();
    for known in ["pcre", "ssl", "threads"] {
        if features.split(',').any(|feature| feature == known) {
            println!("cargo::rustc-cfg=ngx_feature=\"{known}\"");
        }
    }
}
