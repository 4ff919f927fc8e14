//! The FLV tag as RTMP messages carry it (Adobe FLV 10.1, E.4): audio and video tag headers.
