//! grpc's TestService, generated.

#![allow(clippy::all)]

tonic::include_proto!("grpc.testing");
