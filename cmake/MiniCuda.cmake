# The CUDA backend (ops/cuda/). MINI_CUDA:
#   AUTO      where nvcc, cuBLAS and cuDNN are found and build cmake/probes/cuda.cu
#   ON        or an error that says what is missing
#   OFF       only the CPU
#   EMULATED  its sources compiled for the host, against tests/cuda_emulator/: runs without a GPU,
#             slowly; what the tests of the sanitizer build do
set(MINI_CUDA AUTO CACHE STRING "The CUDA backend: AUTO, ON, OFF or EMULATED")
set_property(CACHE MINI_CUDA PROPERTY STRINGS AUTO ON OFF EMULATED)
set(mini_cuda ${MINI_CUDA})

if(MINI_CUDA STREQUAL EMULATED)
  message(STATUS "CUDA backend: EMULATED")
else()
  set(missing "")
  if(MINI_CUDA)
    # Machine code for Hopper, and PTX that the driver compiles for what comes after it.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 90)
    endif()
    set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
    if(NOT CMAKE_CUDA_COMPILER)  # not found once is not found for ever
      unset(CMAKE_CUDA_COMPILER CACHE)
    endif()
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      enable_language(CUDA)
      if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 knows this flag of nvcc's up to C++17
        set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
        set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
      endif()
      find_package(CUDAToolkit 12 QUIET)
      find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
      find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${CUDAToolkit_LIBRARY_DIR})
      if(NOT TARGET CUDA::cublas OR NOT TARGET CUDA::cudart)
        set(missing "no cuBLAS of CUDA 12 or later found")
      elseif(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
        set(missing "cuDNN 9 not found")
      else()
        mini_probe(missing cuda.cu LINK CUDA::cudart CUDA::cublas ${CUDNN_LIBRARY}
                   INCLUDE ${CUDNN_INCLUDE_DIR} OPTIONS -std=c++20)
      endif()
    else()
      set(missing "no nvcc found that compiles")
    endif()
  endif()
  mini_decide(mini_cuda "CUDA backend" MINI_CUDA "nvcc ${CMAKE_CUDA_COMPILER_VERSION}" "${missing}"
              "install the CUDA toolkit and cuDNN, or name nvcc by -DCMAKE_CUDA_COMPILER=...")
endif()

# mini_add_cuda(TARGET): adds the backend to the library.
function(mini_add_cuda target)
  if(NOT mini_cuda STREQUAL ON AND NOT mini_cuda STREQUAL EMULATED)
    return()
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ops/cuda/*.cpp ops/cuda/*.cu)
  if(mini_cuda STREQUAL EMULATED)
    file(GLOB emulator CONFIGURE_DEPENDS tests/cuda_emulator/*.cpp)
    list(APPEND sources ${emulator})
    # Host compilers know no "#pragma unroll". What is emulated runs on this machine only, for whose
    # processor the precompiled headers were not made.
    set_source_files_properties(${sources} PROPERTIES LANGUAGE CXX SKIP_PRECOMPILE_HEADERS ON
                                COMPILE_OPTIONS "-Wno-unknown-pragmas;-march=native")
    target_include_directories(${target} PRIVATE tests/cuda_emulator)
    target_compile_definitions(${target} PRIVATE MINI_CUDA_EMULATED)
    set(architecture 90)
  else()
    list(GET CMAKE_CUDA_ARCHITECTURES 0 first)
    string(REGEX MATCH "^[0-9]+" architecture ${first})
    target_include_directories(${target} SYSTEM PRIVATE ${CUDNN_INCLUDE_DIR})
    set(runtime $<IF:$<BOOL:${MINI_PORTABLE}>,CUDA::cudart_static,CUDA::cudart>)
    target_link_libraries(${target} PRIVATE ${runtime} ${CMAKE_DL_LIBS})
    # The rest is loaded when it is needed (ops/cuda/libraries.h).
    if(NOT MINI_PORTABLE)
      set(cublas ${CUDA_cublas_LIBRARY})
      set(cudnn ${CUDNN_LIBRARY})
    endif()
    set_source_files_properties(ops/cuda/libraries.cpp PROPERTIES COMPILE_DEFINITIONS
                                "MINI_CUBLAS_FOUND=\"${cublas}\";MINI_CUDNN_FOUND=\"${cudnn}\"")
  endif()
  target_sources(${target} PRIVATE ${sources})
  target_compile_definitions(${target} PRIVATE MINI_CUDA MINI_CUDA_ARCHITECTURE=${architecture})
endfunction()
