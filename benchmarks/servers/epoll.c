/* The limit: the same services on bare epoll, one thread, no framework.
 *
 *     epoll SERVICE ADDRESS [BACKEND-PORT]
 *
 * ADDRESS is 0 for any free port of 127.0.0.1, else the path of a unix socket. Once it listens, the
 * port (or the path) is printed. For "proxy" the backend is on 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, READ = 4 * BLOCK, BACKLOG = 4096, EVENTS = 512, IDLE_SECONDS = 30 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char CLOSING[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

struct conn {
    int fd;
    unsigned interest;     /* what epoll was told */
    char *pending;         /* what the kernel did not take */
    size_t length, capacity;
    struct conn *other;    /* the other side of a proxy; else the connection itself */
    char rest[64];         /* the beginning of a line */
    size_t rest_length;
    time_t active;         /* seconds: when the last message came */
    int index;             /* in connections */
    struct conn *next_dead;
};

typedef void (*on_data)(struct conn *, char *, size_t);

static int loop, is_tcp, no_delay, timed, sourcing;
static on_data serve;
static int backend_port;
static struct conn **connections;
static int count, room;
static struct conn *dead;  /* freed after the batch of events that may still name them */
static char buffer[READ];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void want(struct conn *c, unsigned interest) {
    struct epoll_event event = {.events = interest, .data.ptr = c};
    if (c->fd >= 0 && c->interest != interest) {
        c->interest = interest;
        if (epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event)) fail("epoll_ctl");
    }
}

static struct conn *new_conn(int fd) {
    struct conn *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;
    if (!c) fail("calloc");
    c->fd = fd;
    c->other = c;
    c->interest = EPOLLIN;
    if (no_delay && is_tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    if (count == room) {
        room = room ? 2 * room : 64;
        connections = realloc(connections, room * sizeof *connections);
        if (!connections) fail("realloc");
    }
    c->index = count;
    connections[count++] = c;
    return c;
}

static void drop(struct conn *c) {
    struct conn *other = c->other;
    if (c->fd < 0) return;
    close(c->fd);
    c->fd = -1;
    connections[c->index] = connections[--count];
    connections[c->index]->index = c->index;
    c->next_dead = dead;
    dead = c;
    if (other != c) drop(other);
}

static void put(struct conn *c, const char *data, size_t size) {
    if (!c->length) {
        ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            drop(c);
            return;
        }
        if (sent < 0) sent = 0;
        data += sent;
        size -= sent;
        if (!size) return;
    }
    if (c->length + size > c->capacity) {
        c->capacity = 2 * (c->length + size);
        c->pending = realloc(c->pending, c->capacity);
        if (!c->pending) fail("realloc");
    }
    memcpy(c->pending + c->length, data, size);
    c->length += size;
    /* Nothing more is read until this is gone: that is the back-pressure. */
    if (c->other != c) {
        want(c->other, c->other->interest & ~EPOLLIN);
        want(c, c->interest | EPOLLOUT);
    } else {
        want(c, EPOLLOUT);
    }
}

static void fill(struct conn *c) {
    while (c->fd >= 0 && !c->length) put(c, buffer, BLOCK);
}

static void flush(struct conn *c) {
    ssize_t sent = send(c->fd, c->pending, c->length, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) drop(c);
        return;
    }
    c->length -= sent;
    memmove(c->pending, c->pending + sent, c->length);
    if (c->length) return;
    if (c->other != c) {
        want(c, c->interest & ~EPOLLOUT);
        want(c->other, c->other->interest | EPOLLIN);
    } else {
        want(c, EPOLLIN);
        if (sourcing) fill(c);
    }
}

static void http(struct conn *c, char *data, size_t size) {
    (void)data, (void)size;
    put(c, ANSWER, sizeof ANSWER - 1);
}

static void http_close(struct conn *c, char *data, size_t size) {
    (void)data, (void)size;
    put(c, CLOSING, sizeof CLOSING - 1);
    drop(c);
}

static void sink(struct conn *c, char *data, size_t size) {
    (void)c, (void)data, (void)size;
}

static void echo(struct conn *c, char *data, size_t size) {
    put(c->other, data, size);
}

/* Calls answer for each whole line, and keeps the beginning of the next one. */
static void split(struct conn *c, char *data, size_t size, on_data answer) {
    char *end;
    while (c->fd >= 0 && (end = memchr(data, '\n', size))) {
        size_t length = end + 1 - data;
        if (c->rest_length) {
            if (c->rest_length + length > sizeof c->rest) {
                drop(c);
                return;
            }
            memcpy(c->rest + c->rest_length, data, length);
            answer(c, c->rest, c->rest_length + length);
            c->rest_length = 0;
        } else {
            answer(c, data, length);
        }
        data += length;
        size -= length;
    }
    if (c->rest_length + size > sizeof c->rest) {
        drop(c);
        return;
    }
    memcpy(c->rest + c->rest_length, data, size);
    c->rest_length += size;
}

static void put_line(struct conn *c, char *line, size_t size) {
    put(c, line, size);
}

static void lines(struct conn *c, char *data, size_t size) {
    split(c, data, size, put_line);
}

static char batch[2 * READ];
static size_t batch_length;

static void collect(struct conn *c, char *line, size_t size) {
    (void)c;
    memcpy(batch + batch_length, line, size);
    batch_length += size;
}

static void batched_lines(struct conn *c, char *data, size_t size) {
    batch_length = 0;
    split(c, data, size, collect);
    if (c->fd >= 0 && batch_length) put(c, batch, batch_length);
}

static void broadcast(struct conn *c, char *data, size_t size) {
    (void)c;
    for (int i = count - 1; i >= 0; i--) put(connections[i], data, size);
}

static struct conn *connect_backend(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(backend_port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return new_conn(fd);
}

static void welcome(int fd) {
    struct conn *c = new_conn(fd);
    if (backend_port) {
        c->other = connect_backend();
        c->other->other = c;
    }
    if (timed) c->active = time(NULL);
    if (sourcing) fill(c);
}

static void arrived(struct conn *c) {
    ssize_t got = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(c);
        return;
    }
    if (timed) c->active = time(NULL);
    serve(c, buffer, got);
}

static int listen_on(const char *path) {
    int fd;
    if (is_tcp) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        socklen_t size = sizeof address;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size)) fail("bind");
        if (listen(fd, BACKLOG)) fail("listen");
        if (getsockname(fd, (struct sockaddr *)&address, &size)) fail("getsockname");
        printf("%d\n", ntohs(address.sin_port));
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address)) fail("bind");
        if (listen(fd, BACKLOG)) fail("listen");
        puts(path);
    }
    fflush(stdout);
    return fd;
}

static const struct {
    const char *name;
    on_data serve;
    int no_delay, timed, sourcing;
} services[] = {
    {"http", http, 0, 0, 0},   {"timeout", http, 0, 1, 0},
    {"close", http_close, 0, 0, 0}, {"sink", sink, 0, 0, 0},
    {"source", sink, 0, 0, 1}, {"echo", echo, 0, 0, 0},
    {"lines", lines, 1, 0, 0}, {"batched-lines", batched_lines, 1, 0, 0},
    {"broadcast", broadcast, 1, 0, 0}, {"proxy", echo, 1, 0, 0},
};

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN};
    if (argc < 3) return 2;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        if (strcmp(services[i].name, argv[1])) continue;
        serve = services[i].serve;
        no_delay = services[i].no_delay;
        timed = services[i].timed;
        sourcing = services[i].sourcing;
    }
    if (!serve) return 2;
    time_t looked = 0;
    if (argc > 3) backend_port = atoi(argv[3]);
    is_tcp = !strcmp(argv[2], "0");
    loop = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(argv[2]);
    if (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &listening)) fail("epoll_ctl");
    for (;;) {
        int n = epoll_wait(loop, events, EVENTS, timed ? 1000 : -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                    welcome(fd);
                continue;
            }
            if (c->fd >= 0 && events[i].events & EPOLLOUT) flush(c);
            if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) arrived(c);
        }
        if (timed && time(NULL) != looked) {
            looked = time(NULL);
            for (int i = count - 1; i >= 0; i--)
                if (looked - connections[i]->active > IDLE_SECONDS) drop(connections[i]);
        }
        while (dead) {
            struct conn *next = dead->next_dead;
            free(dead->pending);
            free(dead);
            dead = next;
        }
    }
}
