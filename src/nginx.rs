//! All contact with nginx, the clock, sockets, files and processes; all `unsafe` code.
