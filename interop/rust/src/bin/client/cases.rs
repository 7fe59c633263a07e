//! The interop cases of gRPC, and some of this project's.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{iter, pending};
use tonic::codec::CompressionEncoding;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use interop::test_service_client::TestServiceClient;
use interop::unimplemented_service_client::UnimplementedServiceClient;
use interop::*;

const REQUEST_SIZES: [usize; 4] = [27182, 8, 1828, 45904];
const REPLY_SIZES: [usize; 4] = [31415, 9, 2653, 58979];
const SPECIAL: &str = "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n";
const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

type Outcome = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Outcome {
    if got == want {
        Ok(())
    } else {
        Err(format!("got {got:?}, want {want:?}"))
    }
}

/// The result of a call that has to end with this status.
fn fails<T>(result: Result<T, Status>, code: Code, text: Option<&str>) -> Outcome {
    let Err(status) = result else {
        return Err(format!("the call succeeded, want code {}", code as i32));
    };
    if status.code() != code {
        return Err(format!(
            "got code {}, want {}: {:.300}",
            status.code() as i32,
            code as i32,
            status.message()
        ));
    }
    text.map_or(Ok(()), |text| same(status.message(), text))
}

fn payload(size: usize) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size],
        ..Default::default()
    })
}

pub fn simple(size: usize, reply_size: usize) -> SimpleRequest {
    SimpleRequest {
        response_size: reply_size as i32,
        payload: payload(size),
        ..Default::default()
    }
}

fn output(size: usize, replies: &[usize]) -> StreamingOutputCallRequest {
    let wanted = replies.iter().map(|&size| ResponseParameters {
        size: size as i32,
        ..Default::default()
    });
    StreamingOutputCallRequest {
        response_parameters: wanted.collect(),
        payload: payload(size),
        ..Default::default()
    }
}

fn status(text: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: Code::Unknown as i32,
        message: text.into(),
    })
}

fn size_of(reply: Option<StreamingOutputCallResponse>) -> Option<usize> {
    reply.map(|reply| reply.payload.map_or(0, |p| p.body.len()))
}

/// A stream in both directions. tonic returns it with the headers, for which a server may wait for a request.
pub struct Duplex {
    requests: mpsc::Sender<StreamingOutputCallRequest>,
    replies: Streaming<StreamingOutputCallResponse>,
}

impl Duplex {
    pub async fn begin(client: TestServiceClient<Channel>) -> Result<Duplex, Status> {
        let (mut call, _) = Duplex::with(client, output(1, &[1]), |_| ()).await?;
        call.replies.message().await?;
        Ok(call)
    }

    async fn with(
        mut client: TestServiceClient<Channel>,
        first: StreamingOutputCallRequest,
        prepare: impl FnOnce(&mut Request<ReceiverStream<StreamingOutputCallRequest>>),
    ) -> Result<(Duplex, MetadataMap), Status> {
        let (requests, to_send) = mpsc::channel(4);
        requests.send(first).await.expect("there is room");
        let mut request = Request::new(ReceiverStream::new(to_send));
        prepare(&mut request);
        let (headers, replies, _) = client.full_duplex_call(request).await?.into_parts();
        Ok((Duplex { requests, replies }, headers))
    }

    pub async fn exchange(&mut self, size: usize, reply_size: usize) -> Outcome {
        // That the requests are taken no more is no reason: the status is in the replies.
        let _ = self.requests.send(output(size, &[reply_size])).await;
        let reply = self.replies.message().await.map_err(|status| status.to_string())?;
        same(size_of(reply), Some(reply_size))
    }

    pub async fn end(mut self) -> Result<MetadataMap, String> {
        drop(self.requests);
        same(
            size_of(self.replies.message().await.map_err(|status| status.to_string())?),
            None,
        )?;
        let trailers = self.replies.trailers().await.map_err(|status| status.to_string())?;
        Ok(trailers.unwrap_or_default())
    }
}

fn told(status: Status) -> String {
    status.to_string()
}

async fn run_case(name: &str, channel: Channel) -> Outcome {
    let mut client = TestServiceClient::new(channel.clone());
    match name {
        "empty_unary" => client.empty_call(Empty {}).await.map(drop).map_err(told),

        "large_unary" => {
            let reply = client.unary_call(simple(271828, 314159)).await.map_err(told)?;
            same(reply.into_inner().payload.unwrap().body.len(), 314159)
        }

        "client_streaming" => {
            let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
                payload: payload(size),
                ..Default::default()
            });
            let reply = client.streaming_input_call(iter(requests)).await.map_err(told)?;
            same(reply.into_inner().aggregated_payload_size, 74922)
        }

        "server_streaming" => {
            let mut replies = client
                .streaming_output_call(output(0, &REPLY_SIZES))
                .await
                .map_err(told)?
                .into_inner();
            for size in REPLY_SIZES {
                same(size_of(replies.message().await.map_err(told)?), Some(size))?;
            }
            same(size_of(replies.message().await.map_err(told)?), None)
        }

        "ping_pong" => {
            let mut call = Duplex::begin(client).await.map_err(told)?;
            for (size, reply_size) in REQUEST_SIZES.into_iter().zip(REPLY_SIZES) {
                call.exchange(size, reply_size).await?;
            }
            call.end().await.map(drop)
        }

        "empty_stream" => {
            let mut replies = client.full_duplex_call(iter([])).await.map_err(told)?.into_inner();
            same(size_of(replies.message().await.map_err(told)?), None)
        }

        "timeout_on_sleeping_server" => {
            let hurry = |request: &mut Request<_>| request.set_timeout(Duration::from_millis(1));
            let result = match Duplex::with(client, output(27182, &[]), hurry).await {
                Ok((mut call, _)) => call.replies.message().await.map(drop),
                Err(status) => Err(status),
            };
            fails(result, Code::DeadlineExceeded, None)
        }

        // Who cancels drops the future, or the stream, and hears of nothing.
        "cancel_after_begin" => {
            let call = timeout(Duration::from_millis(100), client.streaming_input_call(pending())).await;
            same(call.is_err(), true)?;
            client.empty_call(Empty {}).await.map(drop).map_err(told)
        }

        "cancel_after_first_response" => {
            let mut call = Duplex::begin(client.clone()).await.map_err(told)?;
            call.exchange(27182, 31415).await?;
            drop(call);
            client.empty_call(Empty {}).await.map(drop).map_err(told)
        }

        "status_code_and_message" => {
            let text = "what the server says";
            let request = SimpleRequest {
                response_status: status(text),
                ..Default::default()
            };
            fails(client.unary_call(request).await, Code::Unknown, Some(text))?;
            let request = StreamingOutputCallRequest {
                response_status: status(text),
                ..Default::default()
            };
            let result = match Duplex::with(client, request, |_| ()).await {
                Ok((mut call, _)) => call.replies.message().await.map(drop),
                Err(status) => Err(status),
            };
            fails(result, Code::Unknown, Some(text))
        }

        "special_status_message" => {
            let request = SimpleRequest {
                response_status: status(SPECIAL),
                ..Default::default()
            };
            fails(client.unary_call(request).await, Code::Unknown, Some(SPECIAL))
        }

        "custom_metadata" => {
            let add = |metadata: &mut MetadataMap| {
                metadata.insert(INITIAL, "sent first".parse().unwrap());
                metadata.insert_bin(TRAILING, MetadataValue::from_bytes(&[0xab, 0xab, 0xab]));
            };
            let mut request = Request::new(simple(1, 1));
            add(request.metadata_mut());
            // tonic has the header and the trailer of a unary call in one map.
            let reply = client.unary_call(request).await.map_err(told)?;
            let (mut call, header) = Duplex::with(client, output(1, &[1]), |request| add(request.metadata_mut()))
                .await
                .map_err(told)?;
            same(size_of(call.replies.message().await.map_err(told)?), Some(1))?;
            let trailer = call.end().await?;
            for (header, trailer) in [(reply.metadata(), reply.metadata()), (&header, &trailer)] {
                same(
                    header.get(INITIAL).map(|v| v.to_str().unwrap().to_string()),
                    Some("sent first".to_string()),
                )?;
                same(binary(trailer), Some(vec![0xab, 0xab, 0xab]))?;
            }
            Ok(())
        }

        "unimplemented_method" => fails(client.unimplemented_call(Empty {}).await, Code::Unimplemented, None),

        "unimplemented_service" => {
            let mut missing = UnimplementedServiceClient::new(channel);
            fails(missing.unimplemented_call(Empty {}).await, Code::Unimplemented, None)
        }

        "all_bytes_in_metadata" => {
            let all: Vec<u8> = (0..=255).collect();
            let mut request = Request::new(simple(1, 1));
            request
                .metadata_mut()
                .insert_bin(TRAILING, MetadataValue::from_bytes(&all));
            let reply = client.unary_call(request).await.map_err(told)?;
            same(binary(reply.metadata()), Some(all))
        }

        "compressed" => {
            let gzip = CompressionEncoding::Gzip;
            let mut client = client.send_compressed(gzip).accept_compressed(gzip);
            let reply = client.unary_call(simple(271828, 314159)).await.map_err(told)?;
            same(reply.into_inner().payload.unwrap().body.len(), 314159)
        }

        "deadline_between_replies" => {
            let mut request = Request::new(output(0, &[1, 1]));
            request.get_mut().response_parameters[1].interval_us = 3_000_000;
            request.set_timeout(Duration::from_millis(500));
            let mut replies = client.streaming_output_call(request).await.map_err(told)?.into_inner();
            same(size_of(replies.message().await.map_err(told)?), Some(1))?;
            fails(replies.message().await, Code::DeadlineExceeded, None)
        }

        "request_of_5_mib" => beside_a_stream(client, simple(5 << 20, 1), Code::ResourceExhausted).await,
        "reply_of_5_mib" => beside_a_stream(client, simple(1, 5 << 20), Code::ResourceExhausted).await,
        "error_of_100_kib" => {
            let request = SimpleRequest {
                response_status: status(&"x".repeat(100 << 10)),
                ..Default::default()
            };
            beside_a_stream(client, request, Code::Unknown).await
        }

        _ => Err("there is no such case".into()),
    }
}

/// A call that fails with this code, and a stream on the same connection, which goes on.
async fn beside_a_stream(mut client: TestServiceClient<Channel>, request: SimpleRequest, code: Code) -> Outcome {
    let mut call = Duplex::begin(client.clone()).await.map_err(told)?;
    let result = client.unary_call(request).await;
    call.exchange(1, 1)
        .await
        .map_err(|why| format!("another call of the connection ends, too: {why:.300}"))?;
    fails(result, code, None)?;
    call.end().await?;
    client.empty_call(Empty {}).await.map(drop).map_err(told)
}

fn binary(metadata: &MetadataMap) -> Option<Vec<u8>> {
    metadata
        .get_bin(TRAILING)
        .map(|value| value.to_bytes().unwrap().to_vec())
}

const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

/// Runs the cases named, or all of gRPC's, and prints a line for each.
pub async fn run(channel: Channel, wanted: &[String]) {
    let names: Vec<&str> = if wanted.is_empty() {
        CASES.to_vec()
    } else {
        wanted.iter().map(String::as_str).collect()
    };
    for name in names {
        let outcome = timeout(Duration::from_secs(20), run_case(name, channel.clone())).await;
        match outcome.unwrap_or_else(|_| Err("it hangs".into())) {
            Ok(()) => println!("ok {name}"),
            Err(why) => println!("failed {name}: {}", why.replace('\n', " ")),
        }
    }
}
