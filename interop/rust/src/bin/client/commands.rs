//! What the client does for longer than a moment, as its standard input says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::cases::{Duplex, simple};
use interop::test_service_client::TestServiceClient;

const PAUSE: Duration = Duration::from_millis(10); // after a failure

/// What came of the calls.
struct Tally {
    success: Instant,
    gap: Duration,
    took: Vec<Duration>,
    codes: BTreeMap<i32, usize>,
    text: String,
}

pub async fn load(client: TestServiceClient<Channel>, callers: usize) {
    let mut lines = BufReader::new(stdin()).lines();
    println!("ready");
    let mut next = lines.next_line().await.unwrap();
    while let Some(line) = next.take() {
        let millis = line.parse().expect("milliseconds");
        let began = Instant::now();
        let tally = Tally {
            success: began,
            gap: Duration::ZERO,
            took: vec![],
            codes: BTreeMap::new(),
            text: String::new(),
        };
        let tally = Arc::new(Mutex::new(tally));
        let (stop, over) = watch::channel(());
        let all: Vec<_> = (0..callers)
            .map(|_| tokio::spawn(call_on(client.clone(), tally.clone(), over.clone())))
            .collect();
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        } else {
            next = lines.next_line().await.unwrap();
        }
        drop(stop);
        for one in all {
            one.await.unwrap();
        }
        report(&mut tally.lock().unwrap(), began);
        if millis > 0 {
            next = lines.next_line().await.unwrap();
        }
    }
}

async fn call_on(mut client: TestServiceClient<Channel>, tally: Arc<Mutex<Tally>>, over: watch::Receiver<()>) {
    while over.has_changed().is_ok() {
        let mut request = tonic::Request::new(simple(64, 64));
        request.set_timeout(Duration::from_secs(20));
        let began = Instant::now();
        let result = client.unary_call(request).await;
        let now = Instant::now();
        let failed = result.is_err();
        {
            let mut tally = tally.lock().unwrap();
            match result {
                Ok(_) => {
                    tally.took.push(now - began);
                    tally.gap = tally.gap.max(now.saturating_duration_since(tally.success));
                    tally.success = now;
                }
                Err(status) => {
                    *tally.codes.entry(status.code() as i32).or_default() += 1;
                    if tally.text.is_empty() {
                        tally.text = status.to_string();
                    }
                }
            }
        }
        if failed {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn report(tally: &mut Tally, began: Instant) {
    tally.took.sort();
    let failed: usize = tally.codes.values().sum();
    let codes: Vec<_> = tally.codes.iter().map(|(code, n)| format!("\"{code}\": {n}")).collect();
    println!(
        "{{\"calls\": {}, \"failed\": {failed}, \"seconds\": {}, \"gap\": {}, \"median\": {}, \"codes\": {{{}}}, \"text\": \"{}\"}}",
        tally.took.len() + failed,
        began.elapsed().as_secs_f64(),
        tally.gap.max(tally.success.elapsed()).as_secs_f64(),
        tally.took.get(tally.took.len() / 2).map_or(0.0, Duration::as_secs_f64),
        codes.join(", "),
        tally.text.escape_default().to_string().replace("\\'", "'"),
    );
}

pub async fn hold(client: TestServiceClient<Channel>) {
    let mut call = Duplex::begin(client).await.expect("a stream");
    println!("ready");
    let mut line = String::new();
    BufReader::new(stdin()).read_line(&mut line).await.unwrap();
    match call.exchange(1, 1).await {
        Ok(()) => match call.end().await {
            Ok(_) => println!("ok"),
            Err(why) => println!("failed {why}"),
        },
        Err(why) => println!("failed {why}"),
    }
}
