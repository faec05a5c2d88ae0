// The row "memory" of recipes whose networks consist of blocks (Rescaler::checkpoint_blocks).
#pragma once

#include "nn/field.h"

namespace mini::train {

enum class BlockMemory { stored, checkpoint };

inline nn::Field memory_field(BlockMemory* memory) {
  return {"memory",
          nn::choice(memory),
          "what is kept for the gradient: stored, everything; checkpoint, what goes into each "
          "block. The bits are the same",
          {},
          {"stored", "checkpoint"}};
}

}  // namespace mini::train
