import java.io.BufferedReader;
import java.io.File;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsShell;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.ToolRunner;

/*
 * Hadoop's own HDFS in one process, for tests: two namenodes of the service "prod", one of which serves,
 * and two datanodes.
 *
 *	java -cp JARS MiniHdfs FOLDER [NAME=VALUE…]
 *
 * FOLDER/data is what it needs, FOLDER/conf gets core-site.xml and hdfs-site.xml as a client has them.
 * Commands come on stdin, words with tabs in between, and are answered by a line on stdout, "ok" or what
 * went wrong; so is its start:
 *
 *	fs ARGUMENT…        as `hadoop fs` has it, as the superuser, at who serves
 *	active N            from now on the namenode N (0 or 1) serves
 *	many FOLDER COUNT   that many empty files, "name00000" …
 *	secure              from now on WebHDFS believes only tokens; "fs" does not work any more
 *	stop N              there is no namenode N any more
 */
public final class MiniHdfs {
    private final File folder;
    private final MiniDFSCluster cluster;
    private int active;

    private MiniHdfs(File folder, String[] settings) throws Exception {
        Configuration conf = new Configuration();
        this.folder = folder;
        conf.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, new File(folder, "data").getPath());
        conf.setBoolean("dfs.namenode.delegation.token.always-use", true);
        conf.setInt("dfs.ls.limit", 1000);
        for (String setting : settings) {
            conf.set(setting.substring(0, setting.indexOf('=')),
                setting.substring(setting.indexOf('=') + 1));
        }
        MiniDFSNNTopology.NSConf service = new MiniDFSNNTopology.NSConf("prod");
        service.addNN(new MiniDFSNNTopology.NNConf("nn1"));
        service.addNN(new MiniDFSNNTopology.NNConf("nn2"));
        cluster = new MiniDFSCluster.Builder(conf)
            .nnTopology(new MiniDFSNNTopology().addNameservice(service))
            .numDataNodes(2)
            .build();
        cluster.waitActive();
        cluster.transitionToActive(0);
        cluster.waitActive(0);
    }

    private static String text(InetSocketAddress address) {
        return "127.0.0.1:" + address.getPort();
    }

    private void writeConfiguration() throws Exception {
        Configuration core = new Configuration(false);
        Configuration hdfs = new Configuration(false);
        Configuration theirs = cluster.getConfiguration(0);
        core.set("fs.defaultFS", "hdfs://prod");
        core.set("fs.viewfs.mounttable.union.link./data", "hdfs://prod/files");
        hdfs.set("dfs.nameservices", "prod");
        hdfs.set("dfs.ha.namenodes.prod", "nn1,nn2");
        hdfs.set("dfs.client.failover.proxy.provider.prod",
            "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider");
        for (int i = 0; i < 2; i++) {
            String name = ".prod.nn" + (i + 1);
            hdfs.set("dfs.namenode.rpc-address" + name,
                text(cluster.getNameNode(i).getNameNodeAddress()));
            hdfs.set("dfs.namenode.http-address" + name,
                text(cluster.getNameNode(i).getHttpAddress()));
            if (cluster.getNameNode(i).getHttpsAddress() != null) {
                hdfs.set("dfs.namenode.https-address" + name,
                    text(cluster.getNameNode(i).getHttpsAddress()));
            }
        }
        hdfs.set("dfs.ls.limit", theirs.get("dfs.ls.limit"));
        write(core, "core-site.xml");
        write(hdfs, "hdfs-site.xml");
    }

    private void write(Configuration conf, String name) throws Exception {
        File to = new File(folder, "conf");
        if (!to.isDirectory() && !to.mkdirs()) {
            throw new IllegalStateException("cannot make " + to);
        }
        try (OutputStream out = new FileOutputStream(new File(to, name))) {
            conf.writeXml(out);
        }
    }

    /* Many at a time: each waits for the disk. */
    private String makeMany(Path parent, int count) throws Exception {
        FileSystem fs = cluster.getFileSystem(active);
        ExecutorService workers = Executors.newFixedThreadPool(32);
        List<Callable<Void>> jobs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Path path = new Path(parent, String.format("name%05d", i));
            jobs.add(() -> {
                fs.create(path).close();
                return null;
            });
        }
        for (Future<Void> job : workers.invokeAll(jobs)) {
            job.get();
        }
        workers.shutdown();
        return "ok";
    }

    private String obey(String[] words) throws Exception {
        switch (words[0]) {
        case "fs":
            Configuration conf = new Configuration(cluster.getConfiguration(active));
            conf.set("fs.defaultFS", "hdfs://" + text(cluster.getNameNode(active).getNameNodeAddress()));
            int status = ToolRunner.run(
                conf, new FsShell(), Arrays.copyOfRange(words, 1, words.length));
            return status == 0 ? "ok" : "status " + status;
        case "active":
            cluster.transitionToStandby(active);
            active = Integer.parseInt(words[1]);
            cluster.transitionToActive(active);
            return "ok";
        case "many":
            return makeMany(new Path(words[1]), Integer.parseInt(words[2]));
        case "secure":
            System.setProperty("java.security.krb5.realm", "TEST");
            System.setProperty("java.security.krb5.kdc", "localhost");
            Configuration secure = new Configuration(cluster.getConfiguration(active));
            secure.set("hadoop.security.authentication", "kerberos");
            UserGroupInformation.setConfiguration(secure);
            return "ok";
        case "stop":
            cluster.shutdownNameNode(Integer.parseInt(words[1]));
            return "ok";
        default:
            return "no such command";
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        System.setOut(System.err); // what Hadoop says is for the log
        MiniHdfs hdfs = new MiniHdfs(
            new File(args[0]).getAbsoluteFile(), Arrays.copyOfRange(args, 1, args.length));
        hdfs.writeConfiguration();
        out.println("ok");
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            String answer;
            try {
                answer = hdfs.obey(line.split("\t"));
            } catch (Exception e) {
                answer = e.toString().replace('\n', ' ');
            }
            out.println(answer);
        }
        hdfs.cluster.shutdown();
        System.exit(0);
    }
}
