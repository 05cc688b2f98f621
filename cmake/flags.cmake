# How every C file of the project is compiled.

add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64 FETCHFS_VERSION="${PROJECT_VERSION}")
add_compile_options(
	-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings
	-Wformat=2 -Wformat-signedness -Wnull-dereference -Wundef -Wvla -Wimplicit-fallthrough
	-Wdouble-promotion -Wmissing-declarations
	-Wno-format-truncation # error texts are cut, and that is meant
	-fvisibility=hidden -fno-common -fno-omit-frame-pointer)

if(FETCHFS_WERROR)
	add_compile_options(-Werror)
endif()
if(FETCHFS_FAULTS)
	add_compile_definitions(FETCHFS_FAULTS)
endif()
if(FETCHFS_SANITIZE)
	add_compile_options(-fsanitize=${FETCHFS_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${FETCHFS_SANITIZE})
elseif(FETCHFS_COVERAGE)
	add_compile_options(--coverage)
	add_link_options(--coverage)
else()
	add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
	add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
	add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
