module github.com/udsgrpc/udsgrpc/release

go 1.26.0

replace github.com/udsgrpc/udsgrpc => ../

require (
	github.com/udsgrpc/udsgrpc v0.0.0-00010101000000-000000000000
	go.yaml.in/yaml/v3 v3.0.5
	golang.org/x/mod v0.41.0
	google.golang.org/protobuf v1.36.12
)

require (
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
