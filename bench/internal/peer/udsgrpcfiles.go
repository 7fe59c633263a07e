package peer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func (udsgrpc) ListenFiles(path string) (*Server, error) {
	srv, err := benchv1.NewFilesUDSServer(path, fileService{})
	if err != nil {
		return nil, err
	}
	benchv1.RegisterBenchServer(srv, grpcService{})
	return serveOn(path, srv), nil
}

type fileService struct {
	benchv1.UnimplementedFilesServer
}

func (fileService) Take(_ context.Context, req *benchv1.TakeRequest) (*benchv1.TakeResponse, error) {
	for i, file := range req.GetFiles() {
		f, err := file.Take()
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "file %d: %v", i, err)
		}
		if err := f.Close(); err != nil {
			return nil, status.Errorf(codes.Internal, "close file %d: %v", i, err)
		}
	}
	return &benchv1.TakeResponse{Data: req.GetData(), Files: uint32(len(req.GetFiles()))}, nil
}

func (fileService) SumMemory(_ context.Context, req *benchv1.SumMemoryRequest) (*benchv1.Sum, error) {
	memory, err := req.GetMemory().Take()
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "memory: %v", err)
	}
	defer memory.Close()
	var sum, size atomic.Uint64
	err = readMemory(memory, func(data []byte) {
		sum.Add(Sum(data))
		size.Add(uint64(len(data)))
	})
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "memory: %v", err)
	}
	return &benchv1.Sum{Sum: sum.Load(), Bytes: size.Load()}, nil
}

func (fileService) SumMessages(stream grpc.ClientStreamingServer[benchv1.Payload, benchv1.Sum]) error {
	sum := &benchv1.Sum{}
	err := receiveAll(stream.Recv, func(data []byte) {
		sum.Sum += Sum(data)
		sum.Bytes += uint64(len(data))
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(sum)
}

// udsgrpcClient is a [FileClient], whether or not the server has the Files service.
type udsgrpcClient struct {
	grpcClient
	files benchv1.FilesClient
}

func (c udsgrpcClient) Take(ctx context.Context, data []byte, files []*os.File) (back []byte, taken int, err error) {
	req := &benchv1.TakeRequest{Data: data}
	if len(files) > 0 {
		req.Files = make([]*udsgrpcv1.File, len(files))
	}
	for i, f := range files {
		req.Files[i] = runtime.ShareFile(f)
	}
	resp, err := c.files.Take(ctx, req)
	return resp.GetData(), int(resp.GetFiles()), err
}

func (c udsgrpcClient) SumMemory(ctx context.Context, memory *os.File) (sum, bytes uint64, err error) {
	resp, err := c.files.SumMemory(ctx, &benchv1.SumMemoryRequest{Memory: runtime.ShareFile(memory)})
	return resp.GetSum(), resp.GetBytes(), err
}

func (c udsgrpcClient) SumMessages(ctx context.Context, data []byte, size int) (sum, bytes uint64, err error) {
	stream, err := c.files.SumMessages(ctx)
	if err != nil {
		return 0, 0, err
	}
	for part := range slices.Chunk(data, size) {
		if err := stream.Send(&benchv1.Payload{Data: part}); err != nil {
			return 0, 0, fmt.Errorf("send a part: %w", err)
		}
	}
	resp, err := stream.CloseAndRecv()
	return resp.GetSum(), resp.GetBytes(), err
}
