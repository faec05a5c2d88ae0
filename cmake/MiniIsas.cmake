# The instruction sets that the CPU's kernels, tensor/cpu/*.cpp and ops/cpu/*.cpp, are compiled for;
# which of them runs is decided when the program starts (tensor/isa.h). MINI_ISAS: a list of
#   plain    any processor of the kind: x86-64 with SSE2, or whatever else the compiler makes code for
#   avx2     x86-64 with AVX2 and fused multiply-adds
#   avx512   x86-64 with AVX-512 as all servers have had it since 2017
# or
#   native   the best that this machine executes, which takes the least time to build
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(MINI_ISAS plain avx2 avx512 CACHE STRING "Instruction sets of the CPU's kernels")
else()
  set(MINI_ISAS plain CACHE STRING "Instruction sets of the CPU's kernels")
endif()

# tensor/isa.cpp asks the processor for the same extensions.
set(mini_flags_plain)
set(mini_flags_avx2 -mavx2 -mfma -mbmi -mbmi2)
set(mini_flags_avx512 ${mini_flags_avx2} -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl)

# What this machine executes, as the compiler sees it: for `native`, and for which sets there are tests.
set(mini_native_isas plain)
if(NOT CMAKE_CROSSCOMPILING)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null
                  OUTPUT_VARIABLE macros ERROR_QUIET)
  if(macros MATCHES "__AVX2__" AND macros MATCHES "__FMA__" AND macros MATCHES "__BMI2__")
    list(APPEND mini_native_isas avx2)
    if(macros MATCHES "__AVX512VL__" AND macros MATCHES "__AVX512BW__" AND macros MATCHES "__AVX512DQ__")
      list(APPEND mini_native_isas avx512)
    endif()
  endif()
endif()

set(mini_isas ${MINI_ISAS})
if(MINI_ISAS STREQUAL native)
  list(GET mini_native_isas -1 mini_isas)
endif()
foreach(isa IN LISTS mini_isas)
  if(NOT DEFINED mini_flags_${isa} AND NOT isa STREQUAL plain)
    message(FATAL_ERROR "MINI_ISAS=${MINI_ISAS}: '${isa}' is none of plain, avx2, avx512, native.")
  endif()
endforeach()
message(STATUS "Instruction sets: ${mini_isas}")

# mini_add_kernels(TARGET): adds the kernels to the library.
#
# The danger in this: the functions of headers that a kernel calls and the compiler does not inline,
# of std::vector for instance, are in every object that calls them, and the linker keeps one copy for
# the whole program. If that were one with AVX-512, everything would need AVX-512. So the objects of a
# set are linked into one in which only the names of the set's own namespace are visible outside:
# `ld -r` joins them (the groups of duplicate functions, too), `objcopy` makes other names local.
# tests/isa/symbols.sh looks at what comes out. For plain there is no such danger.
function(mini_add_kernels target)
  file(GLOB sources CONFIGURE_DEPENDS tensor/cpu/*.cpp ops/cpu/*.cpp)
  foreach(isa IN LISTS mini_isas)
    set(kernels mini_kernels_${isa})
    add_library(${kernels} OBJECT ${sources})
    target_compile_features(${kernels} PRIVATE cxx_std_20)
    target_compile_definitions(${kernels} PRIVATE MINI_ISA=${isa})
    target_compile_options(${kernels} PRIVATE ${mini_flags_${isa}})
    target_include_directories(${kernels} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${kernels} PRIVATE mini_flags OpenMP::OpenMP_CXX)
    set_target_properties(${kernels} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    if(isa STREQUAL plain)
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${kernels}>)
      continue()
    endif()
    string(LENGTH ${isa} length)  # as C++ names are spelled in objects: _ZN4mini3cpu4avx2...
    set(joined ${CMAKE_CURRENT_BINARY_DIR}/${kernels}_joined.o)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${kernels}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${MINI_LD} -r --force-group-allocation -o ${joined} $<TARGET_OBJECTS:${kernels}>
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=_ZN4mini3cpu${length}${isa}*
              ${joined} ${object}
      DEPENDS $<TARGET_OBJECTS:${kernels}>
      COMMENT "Joining the kernels of ${isa}" COMMAND_EXPAND_LISTS VERBATIM)
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  endforeach()
endfunction()
find_program(MINI_LD NAMES ld.bfd ld REQUIRED)
foreach(isa IN LISTS mini_isas)
  string(TOUPPER MINI_HAS_${isa} has)
  target_compile_definitions(mini_flags INTERFACE ${has})
endforeach()
