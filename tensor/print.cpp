// Prints a tensor in NumPy's layout; the middle of long dimensions is left out.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <ostream>

#include "tensor/view.h"

namespace mini {
namespace {

constexpr std::int64_t long_dimension = 12;  // only both ends of a longer one are shown
constexpr std::int64_t shown_at_ends = 3;

std::string format(double value, bool integer) {
  std::ostringstream text;
  if (integer)
    text << std::setprecision(15) << value;
  else
    text << std::setprecision(5) << value;
  return text.str();
}

void print(std::ostream& out, const Tensor& x, int indent) {
  if (x.rank() == 0) {
    out << format(x.item(), !is_floating(x.dtype()));
    return;
  }
  const std::int64_t extent = x.size(0);
  const bool nested = x.rank() > 1;
  out << '[';
  for (std::int64_t i = 0; i < extent; ++i) {
    if (i > 0 && nested)
      out << ",\n" << std::string(static_cast<std::size_t>(indent) + 1, ' ');
    else if (i > 0)
      out << ", ";
    if (extent > long_dimension && i == shown_at_ends) {
      out << "...";
      i = extent - shown_at_ends - 1;
      continue;
    }
    print(out, ops::select(x, 0, i), indent + 1);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor(undefined)";
  out << "Tensor(" << tensor.shape() << ", " << tensor.dtype();
  if (!tensor.device().is_cpu()) out << ", " << tensor.device();
  out << ")\n";
  print(out, ops::to_device(tensor, {}), 0);
  return out;
}

}  // namespace mini
