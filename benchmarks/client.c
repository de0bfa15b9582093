/* The load that wrk cannot make: one thread on epoll, many connections, no framework.
 *
 *     client MODE ADDRESS CONNECTIONS TEXT REPEAT REPLY WARM-UP SECONDS
 *     tls-client (the same, on TLS)
 *
 * ADDRESS is a port of 127.0.0.1, or a path. A message is TEXT, REPEAT times. Modes:
 *
 *     exchange   on each connection: send the message, wait for REPLY bytes, again
 *     send       on each connection: messages as fast as they are taken
 *     receive    on each connection: take all that comes
 *     stream     both at once
 *     fanout     one connection sends the message; when all have REPLY bytes, again
 *     hold       open as many connections as each line of standard input says, see that those
 *                before are still there, and answer "ready".
 *                CONNECTIONS is the number of connections of which one exchanges a message
 *
 * All but "hold" print "start" when warm, and after SECONDS "stop", the number of exchanges, bytes
 * received, bytes sent, and the 50th and 99th percentile of an exchange in microseconds (-1 where
 * nothing is exchanged). Then the connections are kept until standard input ends, so that whoever
 * looks at the server's clock does not see the closing of them.
 *
 * While it measures, the client never sleeps: it asks epoll again and again. If it slept, a send of
 * the server would have to wake it up, and would pay for that, as the kernel interrupts the other
 * core inside of the server's system call. Whether the client has just fallen asleep when the next
 * block comes is a matter of chance, and so the same server cost 15 us a block, or 40.
 *
 * Compiled with -DTLS it is tls-client: TLS 1.3, one cipher and one group, so that all servers do the
 * same arithmetic; no session is resumed, and no certificate is looked at.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
#include <signal.h>
#endif

enum {
    EVENTS = 512,
    BUFFER = 256 * 1024,
    IN_A_ROW = 64,      /* messages: a server that takes them as fast would hold up the clock */
    SLOWEST = 4000000,  /* microseconds: what takes longer counts as this */
    SYNC = 500,         /* connections opened before one is heard of: less than any backlog */
    RECORDS = 5 * 16384 /* bytes of ciphertext that are read or written by one call */
};

enum mode { EXCHANGE, SEND, RECEIVE, STREAM, FANOUT, HOLD };
static const char *const MODES[] = {"exchange", "send", "receive", "stream", "fanout", "hold"};

struct conn {
    int fd;
#ifdef TLS
    SSL *tls;
#endif
    int blocked;      /* waits until it can be written */
    size_t sent;      /* of the message */
    size_t got;       /* of the reply */
    uint64_t began;   /* nanoseconds */
};

static enum mode mode;
static const char *address;
static char *message, buffer[BUFFER];
static size_t message_size, reply_size;
static struct conn *conns;
static int opened, complete, loop;
static uint64_t exchanges, bytes_in, bytes_out, deadline;
static uint32_t *histogram;  /* of microseconds */

static void fail(const char *what) {
    fprintf(stderr, "load client: %s: %s\n", what, errno ? strerror(errno) : "the server ended it");
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

#ifdef TLS
static SSL_CTX *context;

static void start_tls(struct conn *c) {
    if (!context) {
        signal(SIGPIPE, SIG_IGN);
        context = SSL_CTX_new(TLS_client_method());
        if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
            !SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") ||
            !SSL_CTX_set1_groups_list(context, "X25519")) fail("start of TLS");
        SSL_CTX_set_read_ahead(context, 1);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
        if (mode != HOLD) SSL_CTX_set_default_read_buffer_len(context, RECORDS);
    }
    c->tls = SSL_new(context);
    if (!c->tls || !SSL_set_fd(c->tls, c->fd)) fail("start of TLS");
    if (SSL_connect(c->tls) != 1) fail("handshake");
}

/* What recv() and send() would return. */
static ssize_t outcome(struct conn *c, int n) {
    if (n > 0) return n;
    int error = SSL_get_error(c->tls, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) errno = EAGAIN;
    else if (error != SSL_ERROR_SYSCALL) errno = 0;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* All that has come, as epoll knows nothing of what is in OpenSSL's buffer. Where there is no end of
 * it, it is counted until the time is over. */
static ssize_t take(struct conn *c) {
    ssize_t n, all = 0;
    while ((n = outcome(c, SSL_read(c->tls, buffer, BUFFER))) > 0) {
        all += n;
        if (now() >= deadline) break;
    }
    return all ? all : n;
}

static ssize_t give(struct conn *c, const char *data, size_t size) {
    return outcome(c, SSL_write(c->tls, data, size));
}

static int is_silent(struct conn *c) {
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    ssize_t n = outcome(c, SSL_read(c->tls, buffer, BUFFER));  /* takes the tickets */
    fcntl(c->fd, F_SETFL, 0);
    return n < 0 && errno == EAGAIN;
}
#else
static void start_tls(struct conn *c) {
    (void)c;
}

static ssize_t take(struct conn *c) {
    return recv(c->fd, buffer, BUFFER, 0);
}

static ssize_t give(struct conn *c, const char *data, size_t size) {
    return send(c->fd, data, size, MSG_NOSIGNAL);
}

static int is_silent(struct conn *c) {
    ssize_t n = recv(c->fd, buffer, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) errno = 0;
    return n < 0 && errno == EAGAIN;
}
#endif

static int reach(void) {
    int fd, on = 1;
    if (address[0] == '/') {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        strncpy(path.sun_path, address, sizeof path.sun_path - 1);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&path, sizeof path)) fail("connect");
        return fd;
    }
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_port = htons(atoi(address))};
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&port, sizeof port)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void dial(struct conn *c) {
    c->fd = reach();
    start_tls(c);
}

/* A whole exchange, waiting for it. */
static void exchange(struct conn *c) {
    size_t got = 0;
    if (give(c, message, message_size) != (ssize_t)message_size) fail("send");
    while (got < reply_size) {
        ssize_t n = take(c);
        if (n <= 0) fail("receive");
        got += n;
    }
}

static void finish(struct conn *c, uint64_t time) {
    uint64_t took = (time - c->began) / 1000;
    histogram[took < SLOWEST ? took : SLOWEST]++;
    exchanges++;
}

static void want(struct conn *c, int blocked) {
    struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = c};
    if (c->blocked == blocked) return;
    c->blocked = blocked;
    if (epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event)) fail("epoll_ctl");
}

static void write_on(struct conn *c) {
    for (int i = 0; i < IN_A_ROW; i++) {
        ssize_t n = give(c, message + c->sent, message_size - c->sent);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) fail("send");
        bytes_out += n;
        c->sent += n;
        if (c->sent < message_size) break;
        if (mode != SEND && mode != STREAM) {
            want(c, 0);
            return;
        }
        c->sent = 0;
    }
    want(c, 1);
}

static void begin(struct conn *c) {
    c->sent = 0;
    c->began = now();
    write_on(c);
}

static void read_on(struct conn *c) {
    ssize_t n = take(c);
    if (n < 0 && errno == EAGAIN) return;
    if (n == 0) errno = 0;
    if (n <= 0) fail("receive");
    bytes_in += n;
    c->got += n;
    if (mode == EXCHANGE && c->got >= reply_size) {
        if (c->got > reply_size) fail("more than the reply");
        c->got = 0;
        finish(c, now());
        begin(c);
    } else if (mode == FANOUT && c->got == reply_size && ++complete == opened) {
        struct conn *sender = &conns[opened - 1];
        for (int i = 0; i < opened; i++) conns[i].got = 0;
        complete = 0;
        finish(sender, now());
        begin(sender);
    }
}

static long percentile(double part) {
    uint64_t seen = 0;
    if (!exchanges) return -1;
    for (long i = 0; i <= SLOWEST; i++)
        if ((seen += histogram[i]) >= part * exchanges) return i;
    return SLOWEST;
}

static void hold(int each) {
    char line[32];
    struct conn *held = NULL;
    int count = 0;
    while (fgets(line, sizeof line, stdin)) {
        int more = atoi(line);
        held = realloc(held, (count + more + 1) * sizeof *held);
        if (!held) fail("start");
        for (int i = 1; i <= more; i++) {
            struct conn *c = &held[count++];
            dial(c);
            if (i % each == 0 || i % SYNC == 0 || i == more) exchange(c);
        }
        for (int i = 0; i < count; i++)
            if (!is_silent(&held[i])) fail("hold a connection");
        puts("ready");
        fflush(stdout);
    }
}

static void run_until(uint64_t end) {
    struct epoll_event events[EVENTS];
    deadline = end;
    while (now() < end) {
        int n = epoll_wait(loop, events, EVENTS, 0);  /* awake: see the top */
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_on(c);
            if (events[i].events & EPOLLOUT) write_on(c);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 9) return 2;
    for (mode = EXCHANGE; strcmp(MODES[mode], argv[1]); mode++)
        if (mode == HOLD) return 2;
    address = argv[2];
    int count = atoi(argv[3]), repeat = atoi(argv[5]);
    size_t size = strlen(argv[4]);
    message_size = size * repeat;
    message = malloc(message_size + 1);
    histogram = calloc(SLOWEST + 1, sizeof *histogram);
    conns = calloc(count, sizeof *conns);
    loop = epoll_create1(0);
    if (!message || !histogram || !conns || loop < 0) fail("start");
    for (int i = 0; i < repeat; i++) memcpy(message + i * size, argv[4], size);
    reply_size = atol(argv[6]);
    if (mode == HOLD) {
        hold(count);
        return 0;
    }
    for (; opened < count; opened++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[opened]};
        dial(&conns[opened]);
        fcntl(conns[opened].fd, F_SETFL, O_NONBLOCK);
        if (epoll_ctl(loop, EPOLL_CTL_ADD, conns[opened].fd, &event)) fail("epoll_ctl");
    }
    uint64_t start = now() + (uint64_t)(atof(argv[7]) * 1e9);
    /* Connections are accepted in order: when the last one is heard, the others are there. */
    if (mode == FANOUT) begin(&conns[count - 1]);
    else if (mode != RECEIVE)
        for (int i = 0; i < count; i++) begin(&conns[i]);
    run_until(start);
    memset(histogram, 0, (SLOWEST + 1) * sizeof *histogram);
    exchanges = bytes_in = bytes_out = 0;
    puts("start");
    fflush(stdout);
    run_until(now() + (uint64_t)(atof(argv[8]) * 1e9));
    printf("stop %lu %lu %lu %ld %ld\n", exchanges, bytes_in, bytes_out, percentile(0.5),
           percentile(0.99));
    fflush(stdout);
    while (getchar() != EOF) continue;
    return 0;
}
