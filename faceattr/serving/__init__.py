"""A server: pictures and video by HTTP and WebSocket, with limits that hold."""
