// A build without CUDA has no graphs; ops/cuda/graph.cpp implements them.
#ifndef MINI_CUDA
#include "tensor/graph.h"

#include "tensor/backend.h"

namespace mini {

class Graph::State {};

Graph::Graph(Device, const std::shared_ptr<Allocator::Pool>&) { fail_without_cuda(); }
Graph::~Graph() = default;
void Graph::capture(const Generator&, const std::function<void()>&) { fail_without_cuda(); }
void Graph::replay(const Generator&) { fail_without_cuda(); }
bool Graph::is_capturing() { return false; }

}  // namespace mini
#endif
