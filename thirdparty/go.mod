module github.com/udsgrpc/udsgrpc/thirdparty

go 1.26.0

tool github.com/udsgrpc/udsgrpc/cmd/protoc-gen-go-udsgrpc

replace github.com/udsgrpc/udsgrpc => ../

require (
	github.com/container-storage-interface/spec v1.13.0
	github.com/spiffe/go-spiffe/v2 v2.9.0
	github.com/udsgrpc/udsgrpc v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
	google.golang.org/genproto/googleapis/bytestream v0.0.0-20261104224025-d1e00e9f33ab
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	k8s.io/cri-api v0.37.2
	k8s.io/kms v0.33.13
	k8s.io/kubelet v0.37.2
)

require (
	github.com/Microsoft/go-winio v0.6.2 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/go-jose/go-jose/v4 v4.1.5 // indirect
	github.com/gogo/protobuf v1.3.2 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)
