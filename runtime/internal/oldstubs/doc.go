// Package oldstubs makes stubs of older generators work, whose functions take grpc's own types where newer
// ones take an interface: RegisterXxxServer a *grpc.Server, and NewXxxClient a *grpc.ClientConn.
//
// Both types can be used in place of those interfaces, and nothing but grpc makes one of them. So [Describe]
// gives the stubs a server of its own, which never listens, and reads from it what they have registered;
// and a [Facade] is a connection of its own, which never connects, whose interceptors pass every call on.
package oldstubs
