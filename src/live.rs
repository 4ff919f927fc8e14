//! Live streams: the frame log, players as cursors into it, the streams of one worker.
