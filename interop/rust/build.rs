//! Makes the stubs of grpc's TestService from the descriptor set that the test has written.

use prost::Message;

fn main() {
    println!("cargo::rerun-if-env-changed=DESCRIPTORS");
    let path = std::env::var("DESCRIPTORS").expect("DESCRIPTORS names no file");
    println!("cargo::rerun-if-changed={path}");
    let set = prost_types::FileDescriptorSet::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    tonic_prost_build::configure().compile_fds(set).unwrap();
}
