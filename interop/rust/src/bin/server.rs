//! grpc's TestService, served by tonic: server PATH
//!
//! It prints one line once it serves, and drains on SIGTERM.

use std::pin::Pin;
use std::time::Duration;

use http_body_util::BodyExt;
use interop::test_service_server::{TestService, TestServiceServer};
use interop::*;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status, Streaming};
use tower::ServiceExt;

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

type Replies = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

fn payload(size: i32) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size as usize],
        ..Default::default()
    })
}

/// The status that a request asks for.
fn failure(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => Err(Status::new(Code::from(code), message)),
        _ => Ok(()),
    }
}

/// Sends back the metadata that the cases look for, in the headers.
fn echo<T>(got: &MetadataMap, mut response: Response<T>) -> Response<T> {
    if let Some(value) = got.get(INITIAL) {
        response.metadata_mut().insert(INITIAL, value.clone());
    }
    response
}

/// Sends back the metadata that goes into the trailer, which tonic's services cannot add to for a call that succeeds.
async fn echo_trailer<S>(inner: S, request: http::Request<Body>) -> Result<http::Response<Body>, S::Error>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>>,
{
    let trailing = request.headers().get(TRAILING).cloned();
    let response = inner.oneshot(request).await?;
    Ok(match trailing {
        None => response,
        Some(value) => response.map(|body| {
            let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static(TRAILING), value)]);
            Body::new(body.with_trailers(std::future::ready(Some(Ok(trailers)))))
        }),
    })
}

async fn send_all(
    request: StreamingOutputCallRequest,
    to: &mpsc::Sender<Result<StreamingOutputCallResponse, Status>>,
) -> bool {
    for wanted in request.response_parameters {
        if wanted.interval_us > 0 {
            tokio::time::sleep(Duration::from_micros(wanted.interval_us as u64)).await;
        }
        if to
            .send(Ok(StreamingOutputCallResponse {
                payload: payload(wanted.size),
                ..Default::default()
            }))
            .await
            .is_err()
        {
            return false;
        }
    }
    true
}

struct Service;

#[tonic::async_trait]
impl TestService for Service {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let metadata = request.metadata().clone();
        let request = request.into_inner();
        failure(request.response_status)?;
        let reply = SimpleResponse {
            payload: payload(request.response_size),
            ..Default::default()
        };
        Ok(echo(&metadata, Response::new(reply)))
    }

    async fn cacheable_unary_call(&self, _: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        Err(Status::unimplemented("CacheableUnaryCall"))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = request.into_inner();
        let mut sum = 0;
        while let Some(request) = requests.message().await? {
            sum += request.payload.map_or(0, |p| p.body.len()) as i32;
        }
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: sum,
        }))
    }

    type StreamingOutputCallStream = Replies;

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Replies>, Status> {
        let (to, replies) = mpsc::channel(4);
        tokio::spawn(async move { send_all(request.into_inner(), &to).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    type FullDuplexCallStream = Replies;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let metadata = request.metadata().clone();
        let mut requests = request.into_inner();
        let (to, replies) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                if let Err(status) = failure(request.response_status.clone()) {
                    let _ = to.send(Err(status)).await;
                    return;
                }
                if !send_all(request, &to).await {
                    return;
                }
            }
        });
        Ok(echo(
            &metadata,
            Response::new(Box::pin(ReceiverStream::new(replies)) as Replies),
        ))
    }

    type HalfDuplexCallStream = Replies;

    async fn half_duplex_call(
        &self,
        _: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Err(Status::unimplemented("HalfDuplexCall"))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("UnimplementedCall"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).expect("the path of the socket");
    let listener = UnixListener::bind(&path)?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("serving");
    let service = TestServiceServer::new(Service)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    tonic::transport::Server::builder()
        .layer(tower::layer::layer_fn(|inner: Routes| {
            tower::service_fn(move |request| echo_trailer(inner.clone(), request))
        }))
        .add_service(service)
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async move {
            terminate.recv().await;
        })
        .await?;
    // tonic, as tokio, leaves the file of the socket behind.
    std::fs::remove_file(path)?;
    Ok(())
}
