//! A client of tonic: client PATH [CASE... | load CALLERS | hold KEEPALIVE_MILLIS]
//!
//! It runs the interop cases of gRPC, if none is named, and prints a line for each. load calls with several
//! callers, for each line of its input so many milliseconds, or with 0 until the next line, and prints what came
//! of it. hold has a stream open that is silent until there is a line to be read.

mod cases;
mod commands;

use std::time::Duration;

use hyper_util::rt::TokioIo;
use interop::test_service_client::TestServiceClient;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// A channel to a path, by a connector: tonic's own unix: takes a path for a part of a URL.
fn connect(path: String, keepalive: Duration) -> Channel {
    let mut endpoint = Endpoint::from_static("http://localhost");
    if !keepalive.is_zero() {
        endpoint = endpoint.http2_keep_alive_interval(keepalive);
    }
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    }))
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("the path of the socket");
    let wanted: Vec<String> = args.collect();
    let number = || wanted[1].parse().expect("a number");
    match wanted.first().map(String::as_str) {
        Some("load") => commands::load(TestServiceClient::new(connect(path, Duration::ZERO)), number()).await,
        Some("hold") => {
            commands::hold(TestServiceClient::new(connect(
                path,
                Duration::from_millis(number() as u64),
            )))
            .await
        }
        _ => cases::run(connect(path, Duration::ZERO), &wanted).await,
    }
}
